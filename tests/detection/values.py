"""Secrets with the structure and check digits of their formats, made from a seeded random. None is committed.

Prefixes are written in two halves, so that no scanner takes this file for a leak.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import string
import zlib
from random import Random
from typing import Any

_DIGITS = string.digits
_LOWER = string.ascii_lowercase
_UPPER = string.ascii_uppercase
_BASE62 = _DIGITS + _UPPER + _LOWER
_BASE32 = _UPPER + "234567"
_BECH32 = "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L"
_WORDS = ("autumn", "harbor", "copper", "falcon", "winter", "maple", "dragon", "sunset", "coffee", "tiger", "rocket")
_MNEMONIC = (
    "abandon",
    "ability",
    "able",
    "about",
    "above",
    "absent",
    "absorb",
    "abstract",
    "absurd",
    "abuse",
    "access",
)


class Values:
    """Makes values from one random, so that a case is the same in each run."""

    def __init__(self, random: Random) -> None:
        self.random = random

    # Building blocks

    def pick(self, alphabet: str, length: int) -> str:
        return "".join(self.random.choices(alphabet, k=length))

    def b62(self, length: int) -> str:
        """Letters of both cases and digits, some of each."""
        characters = [self.random.choice(alphabet) for alphabet in (_LOWER, _UPPER, _DIGITS)]
        characters += self.random.choices(_BASE62, k=length - 3)
        self.random.shuffle(characters)
        return "".join(characters)

    def hex(self, length: int) -> str:
        return self.random.randbytes(length // 2).hex()

    def b64(self, size: int) -> str:
        return base64.b64encode(self.random.randbytes(size)).decode()

    def b64url(self, size: int) -> str:
        return base64.urlsafe_b64encode(self.random.randbytes(size)).decode().rstrip("=")

    def digits(self, length: int) -> str:
        return self.random.choice("123456789") + self.pick(_DIGITS, length - 1)

    def uuid(self) -> str:
        text = self.hex(32)
        variant = self.random.choice("89ab")
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{variant}{text[17:20]}-{text[20:]}"

    # What people think of

    def weak(self) -> str:
        """A password as people choose it."""
        word = self.random.choice(_WORDS)
        return self.random.choice(
            [word.title() + self.digits(4) + "!", word + self.digits(2), word.title() + self.digits(3)]
        )

    def word(self) -> str:
        """A password that is one word."""
        return self.random.choice(_WORDS)

    def strong(self) -> str:
        """A password of a generator."""
        return self.b62(14) + self.random.choice("!%+^") + self.b62(5)

    def url_password(self) -> str:
        return self.b62(16)

    def mnemonic(self) -> str:
        return " ".join(self.random.choices(_MNEMONIC, k=12))

    # Formats with a structure

    def _checksummed(self, prefix: str) -> str:
        body, checksum = self.b62(30), ""
        rest = zlib.crc32(body.encode())
        for _ in range(6):
            rest, digit = divmod(rest, 62)
            checksum = _BASE62[digit] + checksum
        return prefix + body + checksum

    def github(self, letter: str = "p") -> str:
        return self._checksummed("gh" + letter + "_")

    def github_fine(self) -> str:
        return "github" + "_pat_11" + self.pick(_UPPER + _DIGITS, 20) + "_" + self.b62(59)

    def npm(self) -> str:
        return self._checksummed("npm" + "_")

    def gitlab(self, prefix: str = "glpat") -> str:
        return prefix + "-" + self.b62(20)

    def aws_key_id(self, prefix: str = "AKIA") -> str:
        return prefix[:2] + prefix[2:] + self.pick(_BASE32, 16)

    def aws_secret(self) -> str:
        return self.b64(30)

    def aws_session(self) -> str:
        return "IQoJb3JpZ2luX2VjE" + self.b64(240)

    def jwt(self, **claims: Any) -> str:
        """Signed with HMAC-SHA-256."""
        payload = {"sub": self.b62(10), "iat": self.random.randrange(1_600_000_000, 1_700_000_000), **claims}
        parts = [_unpadded(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, payload)]
        signature = hmac.new(self.random.randbytes(32), ".".join(parts).encode(), hashlib.sha256).digest()
        return ".".join([*parts, _unpadded(signature)])

    def pem(self, label: str = "PRIVATE") -> str:
        """A key of Ed25519 in PKCS #8 is real; the others have the right lengths and headers."""
        bodies = {
            "PRIVATE": bytes.fromhex("302e020100300506032b657004220420") + self.random.randbytes(32),
            "EC PRIVATE": bytes.fromhex("30770201010420")
            + self.random.randbytes(32)
            + bytes.fromhex("a00a06082a8648ce3d030107a14403420004")
            + self.random.randbytes(64),
            "RSA PRIVATE": bytes.fromhex("308204a40201000282010100") + self.random.randbytes(1180),
            "OPENSSH PRIVATE": b"openssh-key-v1\0" + self.random.randbytes(380),
            "ENCRYPTED PRIVATE": bytes.fromhex("3082053006092a864886f70d01050d") + self.random.randbytes(1320),
        }
        text = base64.b64encode(bodies[label]).decode()
        lines = [text[start : start + 64] for start in range(0, len(text), 64)]
        return "\n".join([f"-----BEGIN {label} " + "KEY-----", *lines, f"-----END {label} " + "KEY-----", ""])

    def pgp(self) -> str:
        frame = "PGP PRIVATE " + "KEY BLOCK-----"
        return f"-----BEGIN {frame}\n\n{self.b64(600)}\n=" + self.b64(3) + f"\n-----END {frame}\n"

    def stripe(self, prefix: str = "sk") -> str:
        return prefix + "_live_" + self.b62(24)

    def stripe_webhook(self) -> str:
        return "whsec" + "_" + self.b62(32)

    def slack_bot(self) -> str:
        return "xox" + f"b-{self.digits(12)}-{self.digits(12)}-{self.b62(24)}"

    def slack_app(self) -> str:
        return "xap" + f"p-1-A{self.pick(_UPPER + _DIGITS, 10)}-{self.digits(13)}-{self.hex(64)}"

    def slack_webhook(self) -> str:
        workspace = self.pick(_UPPER + _DIGITS, 8)
        return "https://hooks.slack" + f".com/services/T{workspace}/B{self.pick(_UPPER + _DIGITS, 10)}/{self.b62(24)}"

    def discord_webhook(self) -> str:
        return "https://discord.com/api" + f"/webhooks/{self.digits(18)}/{self.b64url(51)}"

    def teams_webhook(self) -> str:
        middle = f"{self.uuid()}@{self.uuid()}/IncomingWebhook/{self.hex(32)}/{self.uuid()}"
        return "https://example.webhook" + f".office.com/webhookb2/{middle}"

    def discord_bot(self) -> str:
        identity = base64.b64encode(self.digits(18).encode()).decode()
        return f"M{identity[1:]}.{self.b62(6)}.{self.b62(27)}"

    def twilio_key(self) -> str:
        return "S" + "K" + self.hex(32)

    def sendgrid(self) -> str:
        return "S" + f"G.{self.b62(22)}.{self.b62(43)}"

    def mailgun(self) -> str:
        return "ke" + "y-" + self.hex(32)

    def mailchimp(self) -> str:
        return self.hex(32) + "-us" + str(self.random.randrange(1, 21))

    def newrelic_user(self) -> str:
        return "NRA" + "K-" + self.pick(_UPPER + _DIGITS, 27)

    def newrelic_licence(self) -> str:
        return self.hex(36) + "NRAL"

    def openai(self) -> str:
        return "sk" + f"-proj-{self.b62(74)}T3BlbkFJ{self.b62(74)}"

    def anthropic(self) -> str:
        return "sk" + f"-ant-api03-{self.b62(93)}AA"

    def azure_storage(self) -> str:
        name = self.pick(_LOWER, 10)
        account = f"AccountName={name};AccountKey={self.b64(64)}"
        return f"DefaultEndpointsProtocol=https;{account};EndpointSuffix=core.windows.net"

    def azure_sas(self) -> str:
        signature = self.b64(32).replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
        return f"https://acme.blob.core.windows.net/in?sv=2022-11-02&ss=b&srt=sco&sp=rwd&se=2030-01-01T00:00:00Z&sig={signature}"

    def azure_secret(self) -> str:
        return self.b62(3) + "8Q~" + self.b62(34)

    def azure_bus(self) -> str:
        host = self.pick(_LOWER, 8)
        key = self.b64(32)
        return f"Endpoint=sb://{host}.servicebus.windows.net/;SharedAccessKeyName=Root;SharedAccessKey={key}"

    def gcp_account(self) -> str:
        project = f"acme-{self.digits(6)}"
        account = {
            "type": "service_account",
            "project_id": project,
            "private_key_id": self.hex(40),
            "private_key": self.pem("PRIVATE"),
            "client_email": f"deploy@{project}.iam.gserviceaccount.com",
            "client_id": self.digits(21),
        }
        return json.dumps(account)

    def google_api(self) -> str:
        return "AI" + "za" + self.b62(35)

    def google_oauth(self) -> str:
        return "GOC" + "SPX-" + self.b62(28)

    def fcm(self) -> str:
        return "AAAA" + self.b62(7) + ":APA91b" + self.b62(134)

    def shopify(self) -> str:
        return "shp" + "at_" + self.hex(32)

    def telegram(self) -> str:
        return f"{self.digits(10)}:AA{self.b62(33)}"

    def vault(self) -> str:
        return "hv" + "s.CAESI" + self.b62(90)

    def terraform(self) -> str:
        return f"{self.b62(14)}.atlas" + f"v1.{self.b62(67)}"

    def pypi(self) -> str:
        return "pypi" + "-AgEIcHlwaS5vcmc" + self.b64url(80)

    def docker_pat(self) -> str:
        return "dckr" + "_pat_" + self.b62(27)

    def digitalocean(self) -> str:
        return "dop" + "_v1_" + self.hex(64)

    def square(self) -> str:
        return "sq0" + "csp-" + self.b62(43)

    def planetscale(self) -> str:
        return "pscale" + "_pw_" + self.b62(43)

    def linear(self) -> str:
        return "lin" + "_api_" + self.b62(40)

    def airtable(self) -> str:
        return "pat" + f"{self.b62(14)}.{self.hex(64)}"

    def huggingface(self) -> str:
        return "h" + "f_" + self.pick(_LOWER + _UPPER, 34)

    def replicate(self) -> str:
        return "r" + "8_" + self.b62(37)

    def groq(self) -> str:
        return "gs" + "k_" + self.b62(52)

    def databricks(self) -> str:
        return "da" + "pi" + self.hex(32)

    def grafana(self) -> str:
        body = self.b62(32)
        return "gls" + f"a_{body}_{zlib.crc32(body.encode()):08x}"

    def doppler(self) -> str:
        return "dp" + ".pt." + self.b62(43)

    def postman(self) -> str:
        return "PMA" + f"K-{self.hex(24)}-{self.hex(34)}"

    def rubygems(self) -> str:
        return "ruby" + "gems_" + self.hex(48)

    def age(self) -> str:
        return "AGE-SECRET" + "-KEY-1" + self.pick(_BECH32, 58)

    def supabase(self) -> str:
        return "sb" + "p_" + self.hex(40)

    def dynatrace(self) -> str:
        return "dt0" + f"c01.{self.pick(_BASE32, 24)}.{self.pick(_BASE32, 64)}"

    def atlassian(self) -> str:
        body = self.b62(183)
        return "ATATT" + f"3xFfGF0{body}={zlib.crc32(body.encode()):08X}"

    def pulumi(self) -> str:
        return "pu" + "l-" + self.hex(40)

    def tailscale(self) -> str:
        return "tskey" + f"-auth-{self.b62(12)}CNTRL-{self.b62(32)}"

    def artifactory(self) -> str:
        return "AK" + "Cp8" + self.b62(68)

    def sentry_token(self) -> str:
        claims = {
            "iat": 1_690_000_000.5,
            "url": "https://sentry.io",
            "region_url": "https://us.sentry.io",
            "org": "acme",
        }
        return "sntry" + f"s_{base64.b64encode(json.dumps(claims).encode()).decode()}_{self.b64(32).rstrip('=')}"

    def hubspot(self) -> str:
        return "pat" + "-na1-" + self.uuid()

    def mapbox(self) -> str:
        claims = json.dumps({"u": "acme", "a": self.pick(_LOWER, 25)})
        return "s" + f"k.{_unpadded(claims.encode())}.{self.b62(22)}"

    def notion(self) -> str:
        return "nt" + f"n_{self.digits(11)}{self.b62(35)}"

    def buildkite(self) -> str:
        return "bk" + "ua_" + self.hex(40)

    def launchdarkly(self) -> str:
        return "sdk-" + self.uuid()

    def alibaba(self) -> str:
        return "LTA" + "I5t" + self.b62(18)

    def braintree(self) -> str:
        return f"access_token$production${self.pick(_LOWER + _DIGITS, 16)}${self.hex(32)}"

    def flutterwave(self) -> str:
        return "FLW" + f"SECK-{self.hex(32)}-X"

    def twitter_bearer(self) -> str:
        return "A" * 22 + self.b62(80)

    def okta(self) -> str:
        return "00" + self.b62(40)

    def fernet(self) -> str:
        return base64.urlsafe_b64encode(self.random.randbytes(32)).decode()

    def bcrypt(self) -> str:
        return "$2y$10$" + self.b62(53)

    # Forms around a secret

    def basic(self, user: str = "deploy") -> str:
        return base64.b64encode(f"{user}:{self.b62(20)}".encode()).decode()

    def docker_config(self) -> str:
        auth = base64.b64encode(f"ci-bot:{self.b62(24)}".encode()).decode()
        return json.dumps({"auths": {"https://index.docker.io/v1/": {"auth": auth}}})


def encode(text: str) -> str:
    """Base64 of a text."""
    return base64.b64encode(text.encode()).decode()


def _unpadded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")
