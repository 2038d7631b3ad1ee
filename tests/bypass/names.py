"""Names that a person reads as those of secrets, and a program might not."""

from __future__ import annotations

from tests.bypass.hiding import Ways, environment, shell, task, variables

_INVISIBLE = {
    "zero width space": "\u200b",
    "zero width non-joiner": "\u200c",
    "zero width joiner": "\u200d",
    "word joiner": "\u2060",
    "byte order mark": "\ufeff",
    "soft hyphen": "\u00ad",
    "grapheme joiner": "\u034f",
    "vowel separator": "\u180e",
    "letter mark": "\u061c",
    "invisible separator": "\u2063",
    "variation selector": "\ufe0f",
    "left-to-right mark": "\u200e",
    "right-to-left mark": "\u200f",
    "right-to-left override": "\u202e",
    "isolate": "\u2066",
    "hangul filler": "\u3164",
    "half-width hangul filler": "\uffa0",
    "reserved default ignorable": "\u2065",
    "combining acute": "\u0301",
    "combining strike": "\u0336",
}

_SEPARATING = {
    "bell": "\x07",
    "delete": "\x7f",
    "next line": "\x85",
    "tab": "\t",
    "newline": "\n",
    "no-break space": "\u00a0",
    "thin space": "\u2009",
    "enclosing circle": "\u20dd",
}

_SPELLINGS = {
    "Cyrillic letters": "DB_P\u0410SSW\u041eRD",
    "small Cyrillic letters": "db_p\u0430ssw\u043erd",
    "Greek letters": "DB_\u03a4\u039f\u039aEN",
    "full-width letters": "\uff30\uff21\uff33\uff33\uff37\uff2f\uff32\uff24",
    "mathematical letters": "\U0001d413\U0001d40e\U0001d40a\U0001d404\U0001d40d",
    "circled letters": "\u24c9\u24c4\u24c0\u24ba\u24c3",
    "accents": "DB_P\u00c4SSW\u00d6RD",
    "two halves": "DB_PASS_WORD",
    "underscores": "__DB__PASSWORD__",
    "a full-width separator": "DB\uff3fPASSWORD",
    "a hyphen of Unicode": "DB\u2010PASSWORD",
    "a space in front": " DB_PASSWORD",
    "a space behind": "DB_PASSWORD ",
    "quotes": '"DB_PASSWORD"',
    "a dollar sign": "$DB_PASSWORD",
    "export in front": "export DB_PASSWORD",
    "a number behind": "DB_PASSWORD_2",
    "digits behind": "DB_PASSWORD123",
    "a date behind": "DB_PASSWORD_20240131",
    "old behind": "DB_PASSWORD_OLD",
    "tmp behind": "DB_PASSWORD_TMP",
    "percent signs": "DB%5FPASSWORD",
    "a plural": "DB_PASSWORDS",
    "no separator": "DBPASSWORD",
    "abbreviated": "DB_PSWD",
    "a path": "config/db/password",
    "a colon": "db:password",
    "brackets": "db[password]",
    "German": "DB_PASSWORT",
    "German in full": "DB_KENNWORT",
    "Spanish": "DB_CONTRASE\u00d1A",
    "French": "MOT_DE_PASSE",
    "ending in value": "DB_PASSWORD_VALUE",
    "ending in plain": "DB_PASSWORD_PLAIN",
    "ending in b64": "DB_PASSWORD_B64",
}

_LONG = {
    "the word at the end of a long name": "A_" * 400 + "PASSWORD",
    "the word at the start of a long name": "PASSWORD" + "_A" * 400,
    "the word at the end of a name of 257": "x" * 248 + "_PASSWORD",
    "the word at the end of a huge name": "a_" * 200_000 + "password",
    "behind hundreds of digits": "PASSWORD_" + "1" * 300,
}

WAYS: Ways = {
    **{
        f"{what} in a name": lambda s, c=c: environment((f"DB_PASS{c}WORD", s.password()))
        for what, c in {**_INVISIBLE, **_SEPARATING}.items()
    },
    **{
        f"{what} in another name": lambda s, c=c: environment((f"A{c}P{c}I{c}_T{c}OK{c}EN", s.password()))
        for what, c in _INVISIBLE.items()
    },
    **{
        f"{what} in a name inside a value": lambda s, c=c: environment(
            ("OPTIONS", f"a=b;pass{c}word={s.password()};c=d")
        )
        for what, c in _INVISIBLE.items()
    },
    **{
        f"a name in {what}": lambda s, name=name: environment((name, s.password()))
        for what, name in {**_SPELLINGS, **_LONG}.items()
    },
    "look-alike letters in a flag": lambda s: shell(f"serve --db-p\u0430ssword={s.password()}"),
    "look-alike letters in an option": lambda s: environment(("JAVA_OPTS", f"-Ddb.p\u0430ssw\u043erd={s.password()}")),
    "full-width letters in a value": lambda s: environment(
        ("OPTIONS", f"\uff50\uff41\uff53\uff53\uff57\uff4f\uff52\uff44={s.password()}")
    ),
    "a full-width equals sign": lambda s: environment(("OPTIONS", f"password\uff1d{s.password()}")),
    "a full-width colon": lambda s: environment(("OPTIONS", f"user=a;password\uff1a{s.password()}")),
    "full-width letters in a token": lambda s: environment(("BUILD", s.keep(_wide(s.token())))),
    "zero width spaces in a token": lambda s: environment(("BUILD", s.keep("\u200b".join(s.token())))),
    "soft hyphens in a token": lambda s: environment(("BUILD", s.keep("\u00ad".join(s.token())))),
    "two variables of one name": lambda s: environment(("DB_PASSWORD", ""), ("DB_PASSWORD", s.password())),
    "two variables of one name, the empty one last": lambda s: environment(
        ("DB_PASSWORD", s.password()), ("DB_PASSWORD", "${DB_PASSWORD}")
    ),
    "the secret of that name beside it": lambda s: task(
        {
            "environment": [{"name": "DB_PASSWORD", "value": s.password()}],
            "secrets": [{"name": "DB_PASSWORD", "valueFrom": "/orders/db"}],
        }
    ),
    "name and value pasted as the name": lambda s: environment((f"DB_PASSWORD={s.password()}", "")),
    "name and value pasted as the name without a value": lambda s: variables({"name": f"DB_PASSWORD={s.password()}"}),
    "name and value pasted as the value": lambda s: environment(("X", f"DB_PASSWORD={s.password()}")),
    "a token as the name": lambda s: environment((s.token(), "")),
    "a token in a harmless name": lambda s: environment((f"BUILD_{s.token()}_ID", "1")),
    "no name, a token": lambda s: variables({"value": s.token()}),
    "an empty name, a token": lambda s: environment(("", s.token())),
    "a null name, a token": lambda s: variables({"name": None, "value": s.token()}),
    "a null name and another key": lambda s: variables({"name": None, "Name": "DB_PASSWORD", "value": s.password()}),
    "a space for a name, a token": lambda s: environment((" ", s.token())),
}


def _wide(text: str) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)
