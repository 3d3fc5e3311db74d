"""Certificates for Dask's TLS: an authority of one's own, and what it signed for each host."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

DAY = timedelta(days=1)


class Authority:
    """Who signs certificates, with a key that nobody else has."""

    def __init__(self, name: str) -> None:
        """Make the key, and a certificate that it signs itself."""
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(name)
        self._certificate = self._signed(self._name, self._key.public_key(), is_authority=True)

    def settings_for(self, host: str, folder: Path) -> dict[str, str]:
        """The environment of a host's Dask processes, which takes TLS and nothing else.

        Args:
            host: its name.
            folder: for its key and certificates.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._signed(_named(host), key.public_key(), is_authority=False)
        folder.mkdir(parents=True)
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / "key.pem").write_bytes(private)
        (folder / "certificate.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
        (folder / "authority.pem").write_bytes(self._certificate.public_bytes(Encoding.PEM))
        prefix = "DASK_DISTRIBUTED__COMM__"
        settings = {
            f"{prefix}REQUIRE_ENCRYPTION": "True",
            f"{prefix}TLS__CA_FILE": str(folder / "authority.pem"),
        }
        for part in ("SCHEDULER", "WORKER", "CLIENT"):
            settings[f"{prefix}TLS__{part}__CERT"] = str(folder / "certificate.pem")
            settings[f"{prefix}TLS__{part}__KEY"] = str(folder / "key.pem")
        return settings

    def _signed(self, name: x509.Name, key: ec.EllipticCurvePublicKey, *, is_authority: bool) -> x509.Certificate:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - DAY)
            .not_valid_after(now + DAY)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
