"""Who may do what: keys and certificates, roles, tenants, and the log of every privileged act."""
