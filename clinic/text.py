"""Text as people type it: put on a line, and made comparable, by folding for search and by keys for sorting."""

import unicodedata


def one_line(text: str) -> str:
    """As it is kept where there is one line: a space between words, none around, no control characters."""
    return " ".join("".join(char for char in text if char.isspace() or unicodedata.category(char) != "Cc").split())


def fold(text: str) -> str:
    """Lower case, no accents on Latin, Greek and Cyrillic letters, single spaces; other scripts keep their marks.

    Marks are dropped only where they are accents: in Sinhala, Thai or Arabic a combining mark is a vowel.
    """
    out: list[str] = []
    base = ""
    # Twice, as Unicode's compatibility caseless match does: what a styled capital stands for is a capital again.
    for char in _plain(_plain(unicodedata.normalize("NFD", text))):
        if unicodedata.combining(char) and base and _is_european(base):
            continue
        out.append(char)
        if not unicodedata.combining(char):
            base = char
    return " ".join(unicodedata.normalize("NFC", "".join(out)).split())


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKD", text.casefold())


def words(text: str) -> list[str]:
    """The words of a name as they are searched: folded, digits as ASCII, split at everything that is no letter, mark or digit.

    Apostrophes and invisible joiners are dropped. Letters stay decomposed, so that a half-typed Hangul syllable is a prefix.
    """
    kept = "".join(
        char if _in_word(char) else " "
        for char in unicodedata.normalize("NFD", fold(ascii_digits(text)))
        if char not in APOSTROPHES and unicodedata.category(char) != "Cf"
    )
    return kept.split()


APOSTROPHES = frozenset("'`\u2018\u2019\u02bc\u02b9\u00b4")


def unspaced(word: str) -> bool:
    """Whether a word is of a script that is written without spaces, so that a name may begin in the middle of it."""
    return any(any(low <= char <= high for low, high in UNSPACED) for char in word)


# Thai and Lao, Burmese, Khmer, kana and CJK ideographs with their extensions. (Hangul is written with spaces, but Korean
# family and given name are not, so its decomposed letters count too.)
UNSPACED = (
    ("\u0e00", "\u0eff"),
    ("\u1000", "\u109f"),
    ("\u1100", "\u11ff"),
    ("\u1780", "\u17ff"),
    ("\u3040", "\u30ff"),
    ("\u3400", "\u9fff"),
    ("\uf900", "\ufaff"),
    ("\U00020000", "\U0003ffff"),
)


def begins_here(char: str) -> bool:
    """Whether a typed word may begin at this character: not at a mark or at the vowel or tail of a Hangul syllable."""
    return not unicodedata.category(char).startswith("M") and not "\u1160" <= char <= "\u11ff"


def sort_key(name: str) -> str:
    """The key by which names are listed; at most 200 characters."""
    return fold(name)[:200]


def digits(text: str) -> str:
    """The decimal digits of a text in any script, as ASCII."""
    return "".join(str(unicodedata.decimal(char)) for char in text if unicodedata.decimal(char, None) is not None)


def ascii_digits(text: str) -> str:
    """The same text with the decimal digits of every script as ASCII."""
    return "".join(char if unicodedata.decimal(char, None) is None else str(unicodedata.decimal(char)) for char in text)


def _in_word(char: str) -> bool:
    return unicodedata.category(char)[0] in "LMN"


def _is_european(char: str) -> bool:
    return char < "\u0590"
