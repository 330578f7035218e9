"""Complete objects as Hetzner's documented Cloud API answers them, for the double."""

import hashlib
from typing import Any

CREATED = "2026-11-01T12:00:00+00:00"
LOCATIONS = {
    name: {
        "id": number,
        "name": name,
        "description": f"{city} DC Park 1",
        "country": country,
        "city": city,
        "latitude": 50.47612,
        "longitude": 12.370071,
        "network_zone": "eu-central",
    }
    for number, (name, city, country) in enumerate(
        [("fsn1", "Falkenstein", "DE"), ("nbg1", "Nuremberg", "DE"), ("hel1", "Helsinki", "FI")], 1
    )
}
# Type: cores, memory in GB, disk in GB, euros a month without VAT. Made up, as all prices of the double are.
TYPES = {"cpx32": (4, 8, 160, "10.4900"), "cpx42": (8, 16, 320, "19.4900"), "cpx52": (12, 24, 480, "28.4900")}
IMAGES = ("debian-13", "ubuntu-24.04")
SERVERS = ["hydrogen.ns.hetzner.com.", "oxygen.ns.hetzner.com.", "helium.ns.hetzner.de."]


def price(net: str) -> dict[str, str]:
    """A price without and with 19 % VAT, as text of ten decimals."""
    return {"net": f"{float(net):.10f}", "gross": f"{float(net) * 1.19:.10f}"}


def server_type(name: str) -> dict[str, Any]:
    """A kind of server, sold in two of the locations."""
    cores, memory, disk, month = TYPES[name]
    return {
        "id": list(TYPES).index(name) + 100,
        "name": name,
        "description": name.upper(),
        "category": "Regular Performance",
        "cores": cores,
        "memory": float(memory),
        "disk": disk,
        "prices": type_prices(month),
        "storage_type": "local",
        "cpu_type": "shared",
        "architecture": "x86",
        "deprecated": False,
        "deprecation": None,
        "locations": [
            {**LOCATIONS[place], "deprecation": None, "available": True, "recommended": True}
            for place in ("fsn1", "nbg1")
        ],
    }


def type_prices(month: str) -> list[dict[str, Any]]:
    """The prices of a kind of server where it is sold."""
    return [
        {
            "location": place,
            "price_hourly": price(str(float(month) / 624)),
            "price_monthly": price(month),
            "included_traffic": 21_990_232_555_520,
            "price_per_tb_traffic": price("1"),
        }
        for place in ("fsn1", "nbg1")
    ]


def pricing() -> dict[str, Any]:
    """The answer of /pricing."""

    def addresses(month: str) -> list[dict[str, Any]]:
        return [
            {"location": place, "price_hourly": price("0.0008"), "price_monthly": price(month)}
            for place in LOCATIONS
        ]

    return {
        "currency": "EUR",
        "vat_rate": "19.000000",
        "image": {"price_per_gb_month": price("0.0110")},
        "floating_ip": {"price_monthly": price("3.0000")},
        "floating_ips": [],
        "primary_ips": [
            {"type": "ipv4", "prices": addresses("0.5000")},
            {"type": "ipv6", "prices": addresses("0.0000")},
        ],
        "server_backup": {"percentage": "20.0000000000"},
        "server_types": [
            {"id": server_type(name)["id"], "name": name, "prices": type_prices(month)}
            for name, (*_, month) in TYPES.items()
        ],
        "load_balancer_types": [],
        "traffic": {"price_per_tb": price("1")},
        "volume": {"price_per_gb_month": price("0.0440")},
    }


def image(name: str) -> dict[str, Any]:
    """A system image."""
    flavour, version = name.split("-")
    return {
        "id": IMAGES.index(name) + 1000,
        "type": "system",
        "status": "available",
        "name": name,
        "description": name,
        "image_size": None,
        "disk_size": 5,
        "created": CREATED,
        "created_from": None,
        "bound_to": None,
        "os_flavor": flavour,
        "os_version": version,
        "rapid_deploy": True,
        "protection": {"delete": False},
        "deprecated": None,
        "deprecation": None,
        "labels": {},
        "deleted": None,
        "architecture": "x86",
    }


def ssh_keys(number: int, body: dict[str, Any]) -> dict[str, Any]:
    """A public key."""
    print_of = hashlib.md5(body["public_key"].encode(), usedforsecurity=False).hexdigest()
    return {
        "fingerprint": ":".join(print_of[at : at + 2] for at in range(0, 32, 2)),
        "public_key": body["public_key"],
    }


def networks(number: int, body: dict[str, Any]) -> dict[str, Any]:
    """A private network."""
    return {
        "ip_range": body["ip_range"],
        "subnets": [subnet(each) for each in body.get("subnets", [])],
        "routes": body.get("routes", []),
        "servers": [],
        "load_balancers": [],
        "protection": {"delete": False},
        "expose_routes_to_vswitch": False,
    }


def subnet(body: dict[str, Any]) -> dict[str, Any]:
    """A subnet of it, whose gateway is its first address."""
    gateway = body["ip_range"].rsplit(".", 1)[0] + ".1"
    return {"vswitch_id": None, "gateway": gateway, **body}


def placement_groups(number: int, body: dict[str, Any]) -> dict[str, Any]:
    """A placement group."""
    return {"type": body["type"], "servers": []}


def firewalls(number: int, body: dict[str, Any]) -> dict[str, Any]:
    """A firewall."""
    return {"rules": [rule(each) for each in body.get("rules", [])], "applied_to": []}


def rule(body: dict[str, Any]) -> dict[str, Any]:
    """A rule of it."""
    return {
        "direction": body["direction"],
        "protocol": body["protocol"],
        "port": body.get("port"),
        "source_ips": body.get("source_ips", []),
        "destination_ips": body.get("destination_ips", []),
        "description": body.get("description"),
    }


def primary_ips(number: int, body: dict[str, Any]) -> dict[str, Any]:
    """An address."""
    ip = f"198.51.100.{number % 250}" if body["type"] == "ipv4" else f"2001:db8:{number:x}::/64"
    return {
        "ip": ip,
        "type": body["type"],
        "assignee_id": body.get("assignee_id"),
        "assignee_type": body.get("assignee_type", "server"),
        "auto_delete": body.get("auto_delete", False),
        "blocked": False,
        "dns_ptr": [{"ip": ip, "dns_ptr": "static.example.test"}] if body["type"] == "ipv4" else [],
        "location": LOCATIONS[body["location"]],
        "protection": {"delete": False},
    }


def volumes(number: int, body: dict[str, Any]) -> dict[str, Any]:
    """A volume."""
    return {
        "server": body.get("server"),
        "location": LOCATIONS[body["location"]],
        "size": body["size"],
        "linux_device": f"/dev/disk/by-id/scsi-0HC_Volume_{number}",
        "format": body.get("format"),
        "status": "available",
        "protection": {"delete": False},
    }


def servers(number: int, body: dict[str, Any]) -> dict[str, Any]:
    """A server, without what other things lend it (addresses, firewalls, volumes)."""
    kind = server_type(body["server_type"])
    return {
        "status": "running",
        "public_net": {"ipv4": None, "ipv6": None, "floating_ips": [], "firewalls": []},
        "private_net": [],
        "server_type": kind,
        "location": LOCATIONS[body["location"]],
        "image": image(body["image"]),
        "iso": None,
        "rescue_enabled": False,
        "locked": False,
        "backup_window": None,
        "outgoing_traffic": 0,
        "ingoing_traffic": 0,
        "included_traffic": 21_990_232_555_520,
        "protection": {"delete": False, "rebuild": False},
        "volumes": [],
        "load_balancers": [],
        "primary_disk_size": kind["disk"],
        "placement_group": None,
    }


def zones(number: int, body: dict[str, Any]) -> dict[str, Any]:
    """A zone of DNS, not delegated to yet."""
    return {
        "mode": body["mode"],
        "ttl": body.get("ttl", 3600),
        "protection": {"delete": False},
        "status": "ok",
        "record_count": 0,
        "registrar": "other",
        "primary_nameservers": [],
        "authoritative_nameservers": {
            "assigned": SERVERS,
            "delegated": [],
            "delegation_last_check": CREATED,
            "delegation_status": "invalid",
        },
    }


MAKERS = {
    maker.__name__: maker
    for maker in (
        ssh_keys,
        networks,
        placement_groups,
        firewalls,
        primary_ips,
        volumes,
        servers,
        zones,
    )
}
