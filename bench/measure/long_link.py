"""A long way between two hosts of a bed (see lib/link.py), which stands in the record."""

from lib.link import Link, link_command

from . import bed as beds


def long_link(bed, labels, addresses, rate_mbps, rtt_ms, queue_ms, options=()):
    """Runs with the bed; `labels` and `addresses` are those of its two ends."""
    near, far = (bed.hosts[label] for label in labels)
    argv = link_command(bed.settings.bed_program, near, far, rate_mbps, rtt_ms, queue_ms, options)
    bed.note(f"between {labels[0]} and {labels[1]}", argv)
    link = Link(bed.net, argv, near, far, [f"{address}/24" for address in addresses], mtu=beds.WIRE_MTU)
    bed.processes["link"] = link.process
    return link
