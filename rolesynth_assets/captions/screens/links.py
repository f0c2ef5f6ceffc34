"""Detection of links, addresses and Markdown in captions.

A caption may quote a sign or a shirt. Words in quotation marks, and words that follow "reads" or
"says" in a sentence, therefore count as part of the picture, even if they are an address. Markup
that a page would load is rejected everywhere: no photograph shows Markdown.
"""

import re
import unicodedata

from rolesynth_assets.captions.screens.shown_words import CARRIER, IN_PICTURE, READ_OUT, first_own
from rolesynth_assets.reply_text.sentences import own_words
from rolesynth_assets.reply_text.sought import Sought

_LOADED = [
    Sought(pattern)
    for pattern in (
        r"!?\[[^\[\]\n]{0,200}\](?:\([^()\s]{1,200}|\[[^\[\]\n]{0,200}\])",  # Markdown
        r"^\s{0,3}\[[^\[\]\n]{1,200}\]:\s*\S+",  # Markdown's list of references
        r"\b(?:data:[a-z]+/[\w.+-]+|javascript:|vbscript:)",
        r"<(?:https?:|mailto:|//)[^<>\s]{0,200}>",
    )
]

_DOMAINS = (
    r"(?:com|net|org|edu|gov|info|biz|shop|store|online|site|website|blog|club|xyz|top|vip|tech|"
    r"cloud|page|link|click|live|news|pro|mobi|example|test|io|dev|tv|cc|gg|ly|eu|uk|cn|jp|ru|nl|"
    r"pl|cz|ch|br|au|kr|tr|ua|gr|hu|fi|dk|vn|tw|hk|nz|za|mx|sg|ie|"
    "\u0440\u0444|\u4e2d\u56fd|\u516c\u53f8|xn--[a-z0-9-]+)"
)
"""Ends of host names that are neither words of a language nor ends of file names."""
_DOMAINS_AND_WORDS = (
    r"(?:ai|am|app|as|at|be|by|ca|co|de|do|es|fm|fr|gl|id|in|is|it|la|me|my|no|pt|se|so|st|to|us)"
)
"""Ends that may also be a word or a file name, as in "a mat.in front" or "logo.ai"."""
_LABELS = r"(?<![\w@./\\-])(?:\w(?:[\w-]{0,61}\w)?\.){1,4}"
_REST = r"(?![\w-])(?:[/:?#][^\s,;]*)?"
_HOST = rf"{_LABELS}(?-i:{_DOMAINS}|{_DOMAINS.upper()})"
_HOST_OR_WORDS = rf"{_LABELS}(?-i:{_DOMAINS_AND_WORDS})"
_DOTS = r"(?:\s{1,4}(?:dot|\(dot\)|\[dot\])\s{1,4}|\s?[\[({]\.[\])}]\s?)"
_URL = (
    r"\b(?:https?|ftps?|file|mailto|wss?):/{0,2}[\w\[]\S{2,}",
    r"(?<![\w./@])www\.[\w-]+\.[a-z]{2,}\S*",
    r"(?<![\w:])//[\w-]+(?:\.[\w-]+)+/\S*",
)
_BARE = (
    rf"{_HOST}{_REST}",
    rf"{_HOST_OR_WORDS}(?![\w-])/\S+",
    rf"(?<![\w-])[\w-]{{1,63}}{_DOTS}{_DOMAINS}\b",
    r"(?<![\w.+-])[\w.+-]{1,64}@(?:[\w-]+\.)+[a-z]{2,}\b",
    r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?::\d{2,5}\b|/\S+)",
)
_INVITES = (
    r"\b(?:visit|visiting|see|go(?:ing)? (?:to|on)|check(?: out)?|click(?: on)?|open|browse|follow|"
    r"download|shop(?![ -]?front)|"
    r"buy|order|available|sold|more|find|found|search|log in|sign up|register|"
    r"contact|write to|call|courtesy|credits?|source|photo by|image by|besuche?n?|visitez|visite|"
    r"visita|bezoek|zie|siehe|voir)\b(?:\s+[\w'-]{1,60}){0,4}?\s*[:,(]?\s+"
)
_ADDRESS = [Sought(pattern) for pattern in _URL]
_BARE_ADDRESS = [Sought(pattern) for pattern in _BARE]
_INVITED = [
    Sought(rf"{_INVITES}(?:{pattern})") for pattern in (*_URL, *_BARE, _HOST_OR_WORDS + _REST)
]

_ADDRESS_LIKE = re.compile(r"\w\.\w|[:@]\S|//|\bwww\.|\bdot\b|[\[({]\.", re.IGNORECASE)
"""What every address has, of those above: most captions have a full stop before a space alone."""

_SHOWN_AFTER = re.compile(
    r"\W{0,9}(?:\w{1,40}\W{1,9}){0,2}?(?:printed|written|painted|stamped|embroidered|engraved|visible|appears?|"
    r"runs|in (?:\w{1,40} ){1,3}letters)\b",
    re.IGNORECASE,
)
_CARRIED = (
    rf"(?:{CARRIER}|logo|watermark|ad|advert|advertisement|van|truck|lorry|bus|jacket|cap|"
    r"(?:shop|store)[ -]?front|office|headquarters|building|booth|stall|kiosk|awning|facade|"
    r"fa\u00e7ade|entrance|stadium|arena|sponsor|uniform|tram|train|plane|boat|balloon|scooter|"
    r"website|homepage|warehouse|locker|parcel|box)s?"
)
_CARRIED_BEFORE = re.compile(rf"{IN_PICTURE.pattern}|\b{_CARRIED}\b", re.IGNORECASE)
_CARRIED_AFTER = re.compile(
    rf"{_SHOWN_AFTER.pattern}|\W{{0,9}}(?:\w{{1,40}}\W{{1,9}}){{0,1}}?{_CARRIED}\b", re.IGNORECASE
)


def find_link(text: str) -> str | None:
    """Return the first link, address or picture that a page would load, or None.

    A bare host name counts ("visit example-shop.com"). On a billboard or a van it is a part of the
    picture, unless the caption invites to it.
    """
    text = unicodedata.normalize("NFKC", text)  # full-width letters and dots
    for pattern in _LOADED:
        if match := pattern.search(text):
            return match.group(0).strip()
    if not _ADDRESS_LIKE.search(own_words(text)):
        return None
    return (
        first_own(_ADDRESS, text, IN_PICTURE, _SHOWN_AFTER)
        or first_own(_BARE_ADDRESS, text, _CARRIED_BEFORE, _CARRIED_AFTER)
        or first_own(_INVITED, text, READ_OUT, _SHOWN_AFTER)
    )
