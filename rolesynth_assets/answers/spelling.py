"""Normalisation of the spelling of answers: white space, marks, fractions and LaTeX markup."""

from __future__ import annotations

import re
import unicodedata

_PREFIX = re.compile(
    r"(?:(?:so|thus|therefore|hence)[, ]+)?(?:the )?(?:correct |final )?answer(?: is|:| =) ?:? ?",
    re.IGNORECASE,
)
_WRAPPED = re.compile(
    r"\\(?:boxed|text|textbf|textit|mathrm|mathbf|operatorname|fbox) ?\{([^{}]*)\}"
)
_LATEX_SPACE = re.compile(r"\\(?:[,;:! ]|quad|qquad|left|right|displaystyle)(?![a-zA-Z])")
_SHOUT = re.compile(r"(?<=[^\W\d_])!+$")  # 5! is a factorial
_AROUND = re.compile(r" ?([(),;:\[\]{}=<>+*/^]) ?")
_ARTICLE = re.compile(r"\b(?:a|an|the) ")
_SIGNS = str.maketrans(
    {
        **dict.fromkeys("\u2212\u2013\u2014\u2010\u2011", "-"),  # minus, dashes and hyphens
        **dict.fromkeys("\u2018\u2019\u02bc", "'"),
        **dict.fromkeys("\u201c\u201d", '"'),
        "\u2044": "/",  # the slash of a fraction after NFKC
        "\u00ba": "\u00b0",  # the ordinal sign is used as a degree sign
    }
)
_LATEX_SIGNS = (
    ("{,}", ","),
    ("\\%", "%"),
    ("\\$", "$"),
    ("^{\\circ}", "\u00b0"),
    ("^\\circ", "\u00b0"),
    ("\\circ", "\u00b0"),
    ("\\dfrac", "\\frac"),
    ("\\tfrac", "\\frac"),
)


def plain(text: str) -> str:
    r"""Normalise an answer to one line in one spelling, keeping its case and its words.

    Markdown, enclosing ``$``, ``\boxed{}`` and ``\text{}``, "The answer is" and a full stop at the
    end are removed. Typographic signs become ASCII, a fraction in one character "1/2", a
    superscript two "^2".
    """
    text = "".join(_spread(sign) for sign in text)
    text = unicodedata.normalize("NFKC", text).translate(_SIGNS)
    for latex, sign in _LATEX_SIGNS:
        text = text.replace(latex, sign)
    text = _LATEX_SPACE.sub("", text)
    for _ in range(3):  # they may be nested
        text = _WRAPPED.sub(r"\1", text)
    text = " ".join(text.replace("**", "").replace("`", "").split())
    text = _PREFIX.sub("", text, count=1) if _PREFIX.match(text) else text
    text = _SHOUT.sub("", text.strip("\"' ")).rstrip(".,;: ").strip("\"' ")
    return text[1:-1].strip() if _enclosed(text) else text


def words(text: str) -> str:
    """Normalise plain text further: no case, no articles, hyphens as spaces, no space at marks."""
    text = re.sub(r"(?<=[^\W\d_])-(?=[^\W\d_])", " ", text.casefold())
    without = _ARTICLE.sub("", text)
    return _AROUND.sub(r"\1", without or text)


def _spread(sign: str) -> str:
    """Write a superscript as a power, and separate a fraction from the number before it."""
    kind, _, rest = unicodedata.decomposition(sign).partition(" ")
    if kind == "<super>" and all(chr(int(code, 16)) in "0123456789+-" for code in rest.split()):
        return "^" + sign
    return " " + sign if kind == "<fraction>" else sign


def _enclosed(text: str) -> bool:
    """Whether a pair of dollar signs encloses the whole text; "$5" is a price."""
    return len(text) > 2 and text[0] == text[-1] == "$" and "$" not in text[1:-1]
