"""The gallery: issuers that are broken in one way each, served by real DNS, TCP and TLS parts on loopback.

`cases` is the list, `place` serves one of them, `nameserver` answers for their names, `judges` asks relying parties.
"""
