"""Throw-away certificate authorities and server certificates, made by `openssl`."""

import subprocess
from pathlib import Path


def make_authority(folder: Path) -> Path:
    """A folder with `ca.pem` and `ca.key`."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)  # servers run as other users
    _openssl(
        folder,
        *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=Test authority"),
        *("-addext", "keyUsage=critical,keyCertSign,cRLSign", "-keyout", "ca.key", "-out", "ca.pem"),
    )
    return folder


def make_certificate(folder: Path, name: str, host: str, *, expired: bool = False) -> None:
    """`NAME.pem` and `NAME.key` for a host, signed by the folder's authority."""
    names = folder / f"{name}.ext"
    names.write_text(f"subjectAltName={'IP' if host[0].isdigit() else 'DNS'}:{host}\n")
    _openssl(
        folder,
        *("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={host}"),
        *("-keyout", f"{name}.key", "-out", f"{name}.csr"),
    )
    _openssl(
        folder,
        *("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"),
        *("-days", "-1" if expired else "30", "-extfile", names.name, "-out", f"{name}.pem"),
    )
    (folder / f"{name}.key").chmod(0o644)


def _openssl(folder: Path, *words: str) -> None:
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)
