"""Certificates for tests, good ones and bad ones: built byte by byte (DER, RFC 5280), so that any field
can be wrong; keys and signatures come from openssl. Used by test_tls.py."""
import base64
import datetime
import os
import subprocess

OIDS = {
    "CN": "2.5.4.3", "O": "2.5.4.10",
    "ecdsa-sha256": "1.2.840.10045.4.3.2", "ecdsa-sha1": "1.2.840.10045.4.1",
    "rsa-sha256": "1.2.840.113549.1.1.11", "rsa-sha1": "1.2.840.113549.1.1.5",
    "rsa-md5": "1.2.840.113549.1.1.4", "ed25519": "1.3.101.112",
    "basicConstraints": "2.5.29.19", "keyUsage": "2.5.29.15", "extKeyUsage": "2.5.29.37",
    "subjectAltName": "2.5.29.17", "nameConstraints": "2.5.29.30", "unknown": "1.3.6.1.4.1.99999.1",
    "serverAuth": "1.3.6.1.5.5.7.3.1", "clientAuth": "1.3.6.1.5.5.7.3.2",
    "codeSigning": "1.3.6.1.5.5.7.3.3", "emailProtection": "1.3.6.1.5.5.7.3.4",
}
KEY_USAGES = ("digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment", "keyAgreement",
              "keyCertSign", "cRLSign")
DAY = datetime.timedelta(days=1)
NOW = datetime.datetime.now(datetime.timezone.utc)


# ---- DER -----------------------------------------------------------------------------------------

def tlv(tag, *parts):
    body = b"".join(parts)
    if len(body) < 128:
        return bytes([tag, len(body)]) + body
    length = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + body


def seq(*parts):
    return tlv(0x30, *parts)


def integer(value):
    return tlv(2, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def oid(name):
    numbers = [int(part) for part in OIDS[name].split(".")]
    body = bytes([numbers[0] * 40 + numbers[1]])
    for number in numbers[2:]:
        piece = [number & 0x7F]
        while number > 0x7F:
            number >>= 7
            piece.insert(0, number & 0x7F | 0x80)
        body += bytes(piece)
    return tlv(6, body)


def name_der(name):
    return seq(*(tlv(0x31, seq(oid(kind), tlv(0x0C, value.encode()))) for kind, value in name))


def time_der(when):
    if 1950 <= when.year < 2050:
        return tlv(0x17, when.strftime("%y%m%d%H%M%SZ").encode())
    return tlv(0x18, when.strftime("%Y%m%d%H%M%SZ").encode())


# ---- Extensions ----------------------------------------------------------------------------------

def extension(name, value, critical=False):
    return seq(oid(name), *([tlv(1, b"\xff")] if critical else []), tlv(4, value))


def basic_constraints(is_ca, path_len=None):
    inside = [tlv(1, b"\xff")] if is_ca else []
    if path_len is not None:
        inside.append(integer(path_len))
    return extension("basicConstraints", seq(*inside), critical=True)


def key_usage(*usages):
    bits = 0
    for usage in usages:
        bits |= 0x80 >> KEY_USAGES.index(usage)
    return extension("keyUsage", tlv(3, bytes([0, bits])), critical=True)


def ext_key_usage(*usages):
    return extension("extKeyUsage", seq(*(oid(usage) for usage in usages)))


def san(*names):
    """Names as (kind, value): dns, ip (bytes), email, uri."""
    tags = {"email": 0x81, "dns": 0x82, "uri": 0x86, "ip": 0x87}
    values = (value if isinstance(value, bytes) else value.encode() for _, value in names)
    return extension("subjectAltName", seq(*(tlv(tags[kind], value)
                                             for (kind, _), value in zip(names, values))))


# ---- Keys and certificates -----------------------------------------------------------------------

class Key:
    def __init__(self, folder, name, kind):
        self.path = os.path.join(folder, name + ".key")
        self.is_rsa = kind.startswith("rsa")
        algorithm = {"rsa": ["RSA", "-pkeyopt", "rsa_keygen_bits:" + kind[3:]],
                     "ed2": ["ED25519"]}.get(kind[:3], ["EC", "-pkeyopt", "ec_paramgen_curve:" + kind])
        self.is_ed = kind == "ed25519"
        openssl("genpkey", "-algorithm", *algorithm, "-out", self.path)
        self.public = openssl("pkey", "-in", self.path, "-pubout", "-outform", "DER")

    def sign(self, data, md):
        if self.is_ed:
            raise ValueError("for servers only")
        return openssl("dgst", "-" + md, "-sign", self.path, data=data)

    def algorithm(self, md):
        return seq(oid("rsa-" + md), tlv(5)) if self.is_rsa else seq(oid("ecdsa-" + md))


def openssl(*args, data=None):
    return subprocess.run(["openssl", *args], input=data, check=True, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL).stdout


class Certificate:
    """`issuer` None: signs itself. Extensions are DER."""
    serial = 1000

    def __init__(self, subject, key, issuer=None, extensions=(), md="sha256", version=3,
                 start=NOW - DAY, end=NOW + 30 * DAY, issuer_name=None, signer=None, broken=False):
        Certificate.serial += 1
        self.subject, self.key = subject, key
        signer = signer or (issuer.key if issuer else key)
        issuer_name = issuer_name or (issuer.subject if issuer else subject)
        algorithm = signer.algorithm(md)
        tbs = seq(*([tlv(0xA0, integer(version - 1))] if version > 1 else []),
                  integer(Certificate.serial), algorithm, name_der(issuer_name),
                  seq(time_der(start), time_der(end)), name_der(subject), key.public,
                  *([tlv(0xA3, seq(*extensions))] if extensions else []))
        signature = bytearray(signer.sign(tbs, md))
        if broken:
            signature[-1] ^= 1
        self.der = seq(tbs, algorithm, tlv(3, b"\0" + bytes(signature)))

    def pem(self):
        text = base64.encodebytes(self.der).decode()
        return f"-----BEGIN CERTIFICATE-----\n{text}-----END CERTIFICATE-----\n"


def common_name(text):
    return [("O", "Limpet test"), ("CN", text)]


def authority(name, key, issuer=None, path_len=None, **keywords):
    extensions = [basic_constraints(True, path_len), key_usage("keyCertSign", "cRLSign")]
    keywords.setdefault("extensions", extensions)
    return Certificate(common_name(name), key, issuer, **keywords)


LOCALHOST = (("dns", "localhost"), ("ip", b"\x7f\0\0\1"))


def leaf(key, issuer, names=LOCALHOST, usages=("serverAuth",), more=(), cn="somebody", **keywords):
    extensions = [basic_constraints(False), key_usage("digitalSignature"), *more]
    if usages:
        extensions.append(ext_key_usage(*usages))
    if names is not None:
        extensions.append(san(*names))
    keywords.setdefault("extensions", extensions)
    return Certificate(common_name(cn), key, issuer, **keywords)
