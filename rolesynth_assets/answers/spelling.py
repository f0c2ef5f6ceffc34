"""Normalisation of the spelling of answers: white space, marks, fractions and LaTeX markup."""

from __future__ import annotations

import re
import unicodedata

_PREFIX = re.compile(
    r"(?:(?:so|thus|therefore|hence)[, ]+)?(?:the )?(?:correct |final )?answer(?: is|:| =) ?:? ?"
    r"|(?:\u6b63\u786e|\u6700\u7ec8)?(?:\u7b54\u6848|\u7b54\u3048|\u6b63\u89e3|\uc815\ub2f5|\ub2f5)"
    r"(?:\u662f|\u4e3a|\u70ba|\u306f|\uc740|\ub294|:) ?:? ?",
    re.IGNORECASE,
)
_WRAPPED = re.compile(
    r"\\(?:boxed|text(?:bf|it|rm|sf|tt|up|normal)?|mbox|hbox|math(?:rm|bf|it|sf|tt|normal)"
    r"|operatorname|fbox|bm|boldsymbol|underline|emph|unit) ?\{((?:[^{}]|\{[^{}]*\})*)\}"
    r"|\{\\(?:rm|bf|it|sf|tt)\b ?([^{}]*)\}"
)
_SWITCH = re.compile(r"\\(?:rm|bf|it|sf|tt)(?![a-zA-Z]) ?")
_DELIMITED = re.compile(r"\\[()\[\]]|\$\$")
_DOLLARS = re.compile(r"(?<!\\)\$(?=\S)([^$]*?(?<=\S))(?<!\\)\$(?!\d)")
_TAGS = re.compile(r"</?(?:answer|b|strong|i|em)>", re.IGNORECASE)
_NO_SPACE = re.compile(
    r"\\(?:!|(?:left|right|displaystyle)(?![a-zA-Z]))|(?<=\d)\\[,;: ](?=\d)"
    r"|(?<=\d)[\u00a0\u2009\u202f](?=\d{3}(?!\d))"
)
_LATEX_SPACE = re.compile(r"\\(?:[,;: ]|q?quad(?![a-zA-Z]))")
_TIE = re.compile(r"~(?=[A-Za-z\u03bc\u03a9]|\\(?!d?frac))")
_TWO_DASHES = re.compile(r"([-\u2010-\u2015\u2212]) ?(?!\1)(?=[-\u2010-\u2015\u2212])")
_SLASHED = re.compile(r"\\frac\{ ?([A-Za-z\u03bc\u03a9]+) ?\}\{ ?([A-Za-z]+(?:\^\{?\d\}?)?) ?\}")
_BULLET = re.compile(r"[*\u2022\u25cf\u25aa\u25e6\u2023\u30fb] +")
_SHOUT = re.compile(r"(?<=[^\W\d_])!+$")  # 5! is a factorial
_AROUND = re.compile(r" ?([(),;:\[\]{}=<>+*/^]) ?")
_RANGE_DASH = re.compile(r"(?<=\d) ?(-) ?(?=\d)")
_ARTICLE = re.compile(r"\b(?:a|an|the) ")
_RAISED_BY_STARS = re.compile(r"(?<=\w)\*\*(?=[-+]?\d)")
_ENCLOSED = re.compile(r"([*_]{1,2})(\w[^*_]*)\1|\{([^{}]+)\}")
_RAISED = re.compile("[\u2070\u00b9\u00b2\u00b3\u2074-\u207b]+")
_SIGNS = str.maketrans(
    {
        # minus, dashes and hyphens
        **dict.fromkeys("\u2212\u2012\u2013\u2014\u2015\u2010\u2011\u2043\ufe58\ufe63\u02d7", "-"),
        **dict.fromkeys("\u301c\u223c\u2053\uff5e", "~"),
        **dict.fromkeys("\u2018\u2019\u02bc", "'"),
        **dict.fromkeys("\u201c\u201d\u300c\u300d\u300e\u300f", '"'),
        **dict.fromkeys("\u22c5\u2219\u2027\u30fb", "\u00b7"),
        **dict.fromkeys("\u3010\u3014", "["),
        **dict.fromkeys("\u3011\u3015", "]"),
        **dict.fromkeys("\u00ad\u200b\u200c\u200d\u2060\ufeff", ""),  # they are not visible
        "\u3001": ",",
        "\uff61": "\u3002",
        "\u2044": "/",  # the slash of a fraction after NFKC
        "\u2215": "/",
        "\u00ba": "\u00b0",  # the ordinal sign is used as a degree sign
    }
)
_LATEX_SIGNS = (
    ("{,}", ","),
    ("\\textsuperscript{", "^{"),
    ("\\%", "%"),
    ("\\$", "$"),
    ("{}^", "^"),
    ("^{\\circ}", "\u00b0"),
    ("^\\circ", "\u00b0"),
    ("\\circ", "\u00b0"),
    ("\\degree", "\u00b0"),
    ("^\u00b0", "\u00b0"),
    ("^{\u00b0}", "\u00b0"),
    ("\\textendash", "-"),
    ("\\sim", "~"),
    ("\\cdot", "\u00b7"),
    ("\\Omega", "\u03a9"),
    ("\\mu ", "\u03bc"),
    ("\\infty", "\u221e"),
    ("\\dfrac", "\\frac"),
    ("\\tfrac", "\\frac"),
)


def plain(text: str) -> str:
    r"""Normalise an answer to one line in one spelling, keeping its case and its words.

    Markdown, LaTeX delimiters, ``\boxed{}`` and ``\text{}``, "The answer is" and a full stop at the
    end are removed. Typographic signs become ASCII, a fraction in one character "1/2", a
    superscript two "^2".
    """
    text = _RAISED.sub(_power, _NO_SPACE.sub("", text))
    text = "".join(_spread(sign) for sign in text)
    text = _TWO_DASHES.sub("~", text)  # a dash and a minus sign, as in a range from -10 to -5
    text = unicodedata.normalize("NFKC", text).translate(_SIGNS)
    text = _DOLLARS.sub(r"\1", _DELIMITED.sub(" ", text))
    for latex, sign in _LATEX_SIGNS:
        text = text.replace(latex, sign)
    text = _LATEX_SPACE.sub(" ", text)
    for _ in range(4):  # they may be nested
        text = _WRAPPED.sub(lambda match: match[1] or match[2] or "", text)
    text = _SWITCH.sub("", text)
    text = _SLASHED.sub(r"\1/\2", _TIE.sub(" ", _TAGS.sub(" ", text)))
    text = _RAISED_BY_STARS.sub("^", text)
    text = " ".join(text.replace("**", "").replace("`", "").split())
    text = _BULLET.sub("", text, count=1) if _BULLET.match(text) else text
    text = _PREFIX.sub("", text, count=1) if _PREFIX.match(text) else text
    if enclosed := _ENCLOSED.fullmatch(text):
        text = enclosed[2] or enclosed[3]
    return _SHOUT.sub("", text.strip("\"' ")).rstrip(".,;: \u3002").strip("\"' ")


def words(text: str) -> str:
    """Normalise plain text further: no case, no articles, hyphens as spaces, no space at marks."""
    text = re.sub(r"(?<=[^\W\d_])-(?=[^\W\d_])", " ", text.casefold())
    without = _ARTICLE.sub("", text)
    return _RANGE_DASH.sub(r"\1", _AROUND.sub(r"\1", without or text))


def _power(match: re.Match[str]) -> str:
    """Write superscripts as a power: "cm" with a superscript two is "cm^2"."""
    digits = unicodedata.normalize("NFKC", match[0]).translate(_SIGNS)
    return f"^{digits}" if len(digits) == 1 else f"^{{{digits}}}"


def _spread(sign: str) -> str:
    """Separate a fraction in one character from the number before it."""
    return " " + sign if unicodedata.decomposition(sign).startswith("<fraction>") else sign
