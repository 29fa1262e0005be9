"""What follows a call: kinds of events, the record they fold into, and who subscribes to them."""
