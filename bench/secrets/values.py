"""The secrets and personal data that are planted, made up and checked: one maker and one check a class.

Nothing here comes from mynah's own lists: names are made of syllables, so that a hit in the output is no accident.
"""

import base64
import binascii
import datetime
import hashlib
import hmac
import ipaddress
import json
import re

ALNUM = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
LOWER = "abcdefghijklmnopqrstuvwxyz0123456789"
UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
SYLLABLES = (
    "bre lov tis kar vim dor zel pan rok ulm wes fyn gar hob jus mik nal quo sed tav yor cly dwe erg "
    "bax cim dro fel gwi hur iv jor kle lum mor nep osk pry rud sko tre ust vak wil xan yel zub aft bry cho deg epp"
).split()


def pick(rng, alphabet, length):
    return "".join(rng.choice(alphabet) for _ in range(length))


def digits(rng, length):
    return pick(rng, "0123456789", length)


def word(rng, low=3, high=4):
    return "".join(rng.choice(SYLLABLES) for _ in range(rng.randint(low, high)))


# Check digits.


def luhn_sum(number):
    total = 0
    for place, digit in enumerate(reversed(number)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total


def luhn(number):
    return number.isascii() and number.isdigit() and luhn_sum(number) % 10 == 0


def with_luhn(body):
    return body + str(-luhn_sum(body + "0") % 10)


def iban_number(text):
    return int("".join(str(int(c, 36)) for c in text[4:] + text[:4]))


VERHOEFF_D = [[(i + j) % 5 if i < 5 and j < 5 else 5 + (i + j) % 5 if i < 5 else 5 + (i - j) % 5 if j < 5 else (i - j) % 5
               for j in range(10)] for i in range(10)]
VERHOEFF_P = [list(range(10)), [1, 5, 7, 6, 2, 8, 3, 0, 9, 4]]
for _ in range(6):
    VERHOEFF_P.append([VERHOEFF_P[-1][VERHOEFF_P[1][i]] for i in range(10)])


def verhoeff(number):
    check = 0
    for place, digit in enumerate(reversed(number)):
        check = VERHOEFF_D[check][VERHOEFF_P[place % 8][int(digit)]]
    return check == 0


def cpf_digit(body):
    rest = sum(int(d) * (len(body) + 1 - i) for i, d in enumerate(body)) * 10 % 11
    return str(rest % 10)


def pesel_digit(body):
    return str(-sum(int(d) * w for d, w in zip(body, [1, 3, 7, 9, 1, 3, 7, 9, 1, 3])) % 10)


def github_check(body):
    number, out = binascii.crc32(body.encode()), ""
    base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    while number:
        number, digit = divmod(number, 62)
        out = base62[digit] + out
    return out.rjust(6, "0")


# Makers: a random source -> the value as text.


def day(rng, first=1940, last=2004):
    start = datetime.date(first, 1, 1)
    return start + datetime.timedelta(days=rng.randrange((datetime.date(last, 12, 31) - start).days))


def password(rng):
    return word(rng, 2, 3).capitalize() + rng.choice("!#$%&*+=@/?") + digits(rng, 3) + pick(rng, ALNUM, 3)


def opaque(rng):
    return base64.b64encode(rng.randbytes(rng.choice([18, 20, 24, 32]))).decode()


def safe(low, high, alphabet=ALNUM + "-_"):
    return lambda rng: rng.choice(ALNUM) + pick(rng, alphabet, rng.randint(low, high)) + rng.choice(ALNUM)


def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def jwt_of(claims, rng):
    head = b64url(json.dumps({"alg": "HS256", "typ": "JWT"}, separators=(",", ":")).encode())
    body = b64url(claims)
    return f"{head}.{body}." + b64url(hmac.new(rng.randbytes(16), f"{head}.{body}".encode(), hashlib.sha256).digest())


def jwt(rng):
    claims = {"sub": digits(rng, 6), "email": email(rng), "name": full_name(rng), "exp": 1893456000 + rng.randrange(10**6)}
    return jwt_of(json.dumps(claims, separators=(",", ":")).encode(), rng)


def card(rng):
    prefix, length = rng.choice([("4", 16), ("51", 16), ("55", 16), ("2221", 16), ("34", 15), ("37", 15), ("6011", 16), ("3530", 16)])
    return with_luhn(prefix + digits(rng, length - len(prefix) - 1))


def iban(rng):
    country, length = rng.choice([("DE", 18), ("NL", 0), ("GB", 0), ("ES", 20), ("FR", 23), ("CH", 17), ("AT", 16)])
    bban = {"NL": "ABNA" + digits(rng, 10), "GB": "NWBK" + digits(rng, 14)}.get(country) or digits(rng, length)
    return f"{country}{98 - iban_number(country + '00' + bban) % 97:02d}{bban}"


def ssn(rng):
    return f"{rng.choice([*range(1, 666), *range(667, 900)]):03d}-{rng.randint(1, 99):02d}-{rng.randint(1, 9999):04d}"


def cpf(rng):
    body = digits(rng, 9)
    body += cpf_digit(body)
    body += cpf_digit(body)
    return f"{body[:3]}.{body[3:6]}.{body[6:9]}-{body[9:]}"


def dni(rng):
    body = digits(rng, 8)
    return body + "TRWAGMYFPDXBNJZSQVHLCKE"[int(body) % 23]


def pesel(rng):
    born = day(rng, 1940, 1999)
    body = born.strftime("%y%m%d") + digits(rng, 4)
    return body + pesel_digit(body)


def personnummer(rng):
    body = day(rng, 1940, 1999).strftime("%y%m%d") + digits(rng, 3)
    body = with_luhn(body)
    return f"{body[:6]}-{body[6:]}"


def nir(rng):
    body = f"{rng.choice('12')}{rng.randint(40, 99):02d}{rng.randint(1, 12):02d}{rng.randint(1, 95):02d}{rng.randint(1, 900):03d}{rng.randint(1, 999):03d}"
    return body + f"{97 - int(body) % 97:02d}"


def aadhaar(rng):
    body = rng.choice("23456789") + digits(rng, 10)
    return next(body + d for d in "0123456789" if verhoeff(body + d))


def email(rng):
    tag = rng.choice(["", "", "+" + word(rng, 1, 2)])
    return f"{word(rng, 2, 3)}.{word(rng, 2, 3)}{tag}@{word(rng, 2, 3)}.{rng.choice(['com', 'de', 'io', 'co.uk', 'org'])}"


def phone(rng):
    return rng.choice(["+1415", "+1212", "+4930", "+4420", "+3361", "+3493", "+4670", "+3120"]) + rng.choice("23456789") + digits(rng, 6)


def full_name(rng):
    return f"{word(rng, 4, 4).capitalize()} {word(rng, 4, 4).capitalize()}"


def address(rng):
    return f"{rng.randint(1, 480)} {word(rng, 4, 4).capitalize()} {rng.choice(['Street', 'Road', 'Avenue', 'Lane'])}"


def birth_date(rng):
    return day(rng).isoformat()


def ipv4(rng):
    return f"{rng.choice([23, 45, 62, 81, 93, 109, 151, 178, 188, 203])}.{rng.randint(0, 255)}.{rng.randint(0, 255)}.{rng.randint(1, 254)}"


def ipv6(rng):
    return "2a0" + pick(rng, "123456789", 1) + ":" + ":".join(f"{rng.randrange(0x1000, 0x10000):x}" for _ in range(7))


def mac(rng):
    return ":".join(f"{b:02x}" for b in bytes([rng.choice([0x3C, 0xA4, 0xD8, 0xF0])]) + rng.randbytes(5))


def pem(rng):
    body = base64.b64encode(b"\x30\x82\x01\x00" + rng.randbytes(140)).decode()
    lines = "\n".join(body[i : i + 64] for i in range(0, len(body), 64))
    return f"-----BEGIN PRIVATE KEY-----\n{lines}\n-----END PRIVATE KEY-----"


def github(rng):
    body = pick(rng, ALNUM, 30)
    return "ghp_" + body + github_check(body)


def uuid(rng):
    raw = bytearray(rng.randbytes(16))
    raw[6], raw[8] = raw[6] & 15 | 64, raw[8] & 63 | 128
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


# Checks of a pseudonym: (original, masked) -> is it still of its kind?


def fits(pattern):
    return lambda old, new: re.fullmatch(pattern, new) is not None


def same_length(old, new):
    return len(old) == len(new) and new.isprintable()


def is_date(old, new):
    try:
        return bool(datetime.date.fromisoformat(new))
    except ValueError:
        return False


def is_ip(version):
    def check(old, new):
        try:
            return ipaddress.ip_address(new).version == version
        except ValueError:
            return False

    return check


def is_jwt(old, new):
    try:
        head, body, signature = new.split(".")
        for part in (head, body):
            json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        return len(signature) > 0
    except ValueError:
        return False


def is_pem(old, new):
    try:
        found = re.fullmatch(r"-----BEGIN PRIVATE KEY-----\n([A-Za-z0-9+/=\n]+)\n-----END PRIVATE KEY-----\n?", new)
        return bool(found and base64.b64decode(found[1]))
    except ValueError:
        return False


def only_digits(text):
    return re.sub(r"[^0-9]", "", text)


def both(pattern, check):
    return lambda old, new: re.fullmatch(pattern, new) is not None and check(new)


def is_cpf(new):
    body = only_digits(new)
    return cpf_digit(body[:9]) == body[9] and cpf_digit(body[:10]) == body[10]


# class -> maker, check, field names that tell, found by its format alone, found by value (>= 40 bits) elsewhere.
CLASSES = {
    "password": (password, same_length, ["password", "passwd", "newPassword", "user_password", "pwd"], False, True),
    "session": (opaque, same_length, ["sessionid", "session_id", "sid", "JSESSIONID", "connect.sid"], False, True),
    "uuid-session": (uuid, fits(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"), ["session_id", "sessionToken", "sid"], False, True),
    "bearer": (safe(30, 44, ALNUM + "-._"), same_length, ["access_token", "accessToken", "auth_token", "bearer_token"], False, True),
    "refresh": (safe(38, 60), same_length, ["refresh_token", "refreshToken"], False, True),
    "api-key": (safe(26, 36, ALNUM), same_length, ["api_key", "apiKey", "x-api-key", "apikey"], False, True),
    "csrf": (opaque, same_length, ["csrf_token", "_csrf", "authenticity_token", "csrfmiddlewaretoken", "xsrf-token"], False, True),
    "jwt": (jwt, is_jwt, ["id_token", "access_token", "jwt"], True, True),
    "card": (card, lambda old, new: len(old) == len(new) and luhn(new), ["card_number", "cardNumber", "pan", "cc_number"], True, True),
    "cvc": (lambda rng: digits(rng, 3), fits(r"\d{3}"), ["cvc", "cvv", "security_code", "cvv2"], False, False),
    "iban": (iban, lambda old, new: len(old) == len(new) and bool(re.fullmatch(r"[A-Z]{2}\d\d[A-Z0-9]+", new)) and iban_number(new) % 97 == 1,
             ["iban", "account_iban", "creditorIban"], True, True),
    "ssn": (ssn, fits(r"(?!000|666|9)\d{3}-(?!00)\d\d-(?!0000)\d{4}"), ["ssn", "social_security_number", "socialSecurityNumber"], True, False),
    "cpf": (cpf, both(r"\d{3}\.\d{3}\.\d{3}-\d\d", is_cpf), ["cpf", "national_id"], True, False),
    "dni": (dni, both(r"\d{8}[A-Z]", lambda new: "TRWAGMYFPDXBNJZSQVHLCKE"[int(new[:8]) % 23] == new[8]), ["dni", "nif", "national_id"], True, False),
    "pesel": (pesel, both(r"\d{11}", lambda new: pesel_digit(new[:10]) == new[10]), ["pesel", "nationalId"], True, False),
    "personnummer": (personnummer, both(r"\d{6}-\d{4}", lambda new: luhn(only_digits(new))), ["personnummer", "national_id"], True, False),
    "nir": (nir, both(r"\d{15}", lambda new: 97 - int(new[:13]) % 97 == int(new[13:])), ["nir", "insee_number", "national_id"], True, True),
    "aadhaar": (aadhaar, both(r"\d{12}", verhoeff), ["aadhaar", "aadhaar_number", "national_id"], True, False),
    "email": (email, fits(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+"), ["email", "emailAddress", "user_email", "contact_email"], True, True),
    "phone": (phone, fits(r"\+\d{11,13}"), ["phone", "phone_number", "mobile", "phoneNumber"], True, False),
    "name": (full_name, fits(r"[^\d\W][^\d]*"), ["full_name", "fullName", "customer_name", "cardholder_name"], False, True),
    "first-name": (lambda rng: word(rng, 4, 4).capitalize(), fits(r"[^\d\W][^\d]*"), ["first_name", "firstName", "given_name"], False, False),
    "last-name": (lambda rng: word(rng, 4, 4).capitalize(), fits(r"[^\d\W][^\d]*"), ["last_name", "lastName", "surname", "family_name"], False, False),
    "address": (address, lambda old, new: bool(new.strip()), ["street_address", "address_line1", "shippingAddress", "street"], False, True),
    "birth-date": (birth_date, is_date, ["birth_date", "date_of_birth", "dob", "birthday"], False, False),
    "ipv4": (ipv4, is_ip(4), ["client_ip", "ip_address", "remote_addr", "X-Forwarded-For"], False, False),
    "ipv6": (ipv6, is_ip(6), ["client_ip", "ip_address", "remote_addr"], False, True),
    "mac": (mac, fits(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}"), ["mac_address", "mac", "deviceMac"], True, True),
    "pem": (pem, is_pem, ["private_key", "privateKey", "tls_key"], True, True),
    "aws": (lambda rng: "AKIA" + pick(rng, UPPER[:26] + "234567", 16), fits(r"AKIA[A-Z0-9]{16}"), ["aws_access_key_id", "accessKeyId"], True, True),
    "github": (github, both(r"ghp_[A-Za-z0-9]{36}", lambda new: github_check(new[4:34]) == new[34:]), ["github_token", "githubToken"], True, True),
    "stripe": (lambda rng: "sk_live_" + pick(rng, ALNUM, 24), fits(r"sk_live_[A-Za-z0-9]{24}"), ["stripe_key", "stripeSecret"], True, True),
    "slack": (lambda rng: f"xoxb-{digits(rng, 12)}-{digits(rng, 12)}-{pick(rng, ALNUM, 24)}", fits(r"xoxb-\d{12}-\d{12}-[A-Za-z0-9]{24}"), ["slack_token", "slackBotToken"], True, True),
    "google": (lambda rng: "AIza" + pick(rng, ALNUM + "-_", 35), fits(r"AIza[A-Za-z0-9_-]{35}"), ["google_api_key", "mapsKey"], True, True),
    "entropy": (safe(38, 46, ALNUM), same_length, ["blob", "v", "data", "x"], True, True),
}

# Values of so small a domain that a pseudonym may well be another's original: looked for by place only.
BY_PLACE = {"cvc", "birth-date"}


def make(kind, rng):
    return CLASSES[kind][0](rng)


def valid(kind, old, new):
    return CLASSES[kind][1](old, new)
