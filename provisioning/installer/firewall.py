"""nftables rules from the answers: listed ports from listed networks in, listed platforms out.

Everything else is counted and dropped, in both directions. Our rules live in a table of their own
and are loaded whole or not at all.
"""

from __future__ import annotations

import ipaddress

from installer import layout
from installer.answers import Answers
from installer.system import run, write
from installer.words import Text

SERVICE_PORTS = (50051, 50052, 9000)
NTP_PORT, DNS_PORT = 123, 53
# What drops is told to the kernel's log this often at most.
LOG_RATE = "5/minute"


def lay(answers: Answers) -> None:
    """Write the rules where they are loaded from, if nft takes them; raises InstallError."""
    trial = layout.FIREWALL.with_suffix(".trial")
    write(trial, render(answers))
    try:
        check = Text("检查防火墙", "check the firewall")
        run("nft", "--check", "--file", str(trial), doing=check)
        write(layout.FIREWALL, trial.read_bytes())
    finally:
        trial.unlink()


def render(answers: Answers) -> str:
    """The file that `nft -f` takes."""
    ports = ", ".join(map(str, SERVICE_PORTS))
    inbound = [
        *_rules(answers.callers, "saddr", f"tcp dport {{ {ports} }} counter accept"),
        *_rules(answers.admins, "saddr", f"tcp dport {answers.ssh_port} counter accept"),
    ]
    platform_ports = ", ".join(map(str, answers.platform_ports))
    outbound = [
        *_rules(answers.platforms, "daddr", f"tcp dport {{ {platform_ports} }} counter accept"),
        *_rules(answers.time_servers, "daddr", f"udp dport {NTP_PORT} counter accept"),
        *_rules(
            answers.name_servers,
            "daddr",
            f"meta l4proto {{ tcp, udp }} th dport {DNS_PORT} counter accept",
        ),
    ]
    return TEMPLATE.format(
        inbound=_indented(inbound), outbound=_indented(outbound), log_rate=LOG_RATE
    )


def _rules(networks: list[str], side: str, rest: str) -> list[str]:
    families: dict[str, list[str]] = {}
    for text in networks:
        network = ipaddress.ip_network(text)
        families.setdefault("ip" if network.version == 4 else "ip6", []).append(text)
    return [f"{name} {side} {{ {', '.join(of)} }} {rest}" for name, of in families.items()]


def _indented(rules: list[str]) -> str:
    return "\n".join(f"    {rule}" for rule in rules)


TEMPLATE = """\
# Written by lingting-install from /etc/lingting/install.toml; `lingting-install firewall` again
# after a change there. What it dropped: nft list table inet lingting
add table inet lingting
delete table inet lingting

table inet lingting {{
  counter ingress-denied {{}}
  counter egress-denied {{}}

  chain input {{
    type filter hook input priority filter; policy drop;
    ct state established,related accept
    ct state invalid drop
    iif lo accept
    icmp type {{ echo-request, destination-unreachable, time-exceeded }} accept
    icmpv6 type {{ echo-request, destination-unreachable, packet-too-big, nd-neighbor-solicit,
      nd-neighbor-advert, nd-router-advert }} accept
{inbound}
    limit rate {log_rate} log prefix "lingting ingress-denied "
    counter name ingress-denied drop
  }}

  chain forward {{
    type filter hook forward priority filter; policy drop;
  }}

  chain output {{
    type filter hook output priority filter; policy drop;
    ct state established,related accept
    oif lo accept
    udp sport 68 udp dport 67 accept
    icmp type {{ echo-reply, destination-unreachable, time-exceeded }} accept
    icmpv6 type {{ echo-reply, destination-unreachable, packet-too-big, nd-neighbor-solicit,
      nd-neighbor-advert, nd-router-solicit }} accept
{outbound}
    limit rate {log_rate} log prefix "lingting egress-denied "
    counter name egress-denied drop
  }}
}}
"""
