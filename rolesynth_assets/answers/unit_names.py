"""The names and symbols of units in English, Chinese, Japanese and Korean."""

from __future__ import annotations

from typing import NamedTuple


class Known(NamedTuple):
    """A unit by its name, and what it measures."""

    name: str
    dimension: str


_PREFIXES = {
    **{"k": "kilo", "c": "centi", "m": "milli", "d": "deci", "M": "mega", "G": "giga"},
    **{"\u03bc": "micro", "u": "micro", "n": "nano", "p": "pico", "h": "hecto"},
}
_EASTERN_PREFIXES = {
    "\u5343": "kilo",
    "\u5398": "centi",
    "\u6beb": "milli",
    "\u5206": "deci",
    "\u5fae": "micro",
    "\u7eb3": "nano",
    "\u30ad\u30ed": "kilo",
    "\u30bb\u30f3\u30c1": "centi",
    "\u30df\u30ea": "milli",
    "\ud0ac\ub85c": "kilo",
    "\uc13c\ud2f0": "centi",
    "\ubc00\ub9ac": "milli",
}
# name | dimension | symbols | other names | prefixes of the symbols | names in East Asian scripts
_TABLE = """
metre|length|m|meter|k c m d \u03bc u n p|\u7c73 \u30e1\u30fc\u30c8\u30eb \ubbf8\ud130
gram|mass|g|gramme|k m \u03bc u n|\u514b \u30b0\u30e9\u30e0 \uadf8\ub7a8
second|time|s sec secs||m \u03bc u n p|\u79d2 \ucd08
minute|time|min mins|||\u5206\u949f \u5206\u9418 \u5206 \ubd84
hour|time|h hr hrs|||\u5c0f\u65f6 \u5c0f\u6642 \u6642\u9593 \u65f6 \uc2dc\uac04
day|time||||\u5929 \u65e5
week|time|wk|||
month|time||||
year|time|yr yrs|||
ampere|current|A|amp|k m \u03bc u|
volt|voltage|V||k m M \u03bc|\u4f0f
watt|power|W||k m M G|\u74e6
joule|energy|J||k m M|\u7126
newton|force|N||k m M|\u725b
pascal|pressure|Pa||k M h G|\u5e15
hertz|frequency|Hz||k M G|
ohm|resistance|\u03a9||k M m|\u6b27
kelvin|temperature|K|||
litre|capacity|L l|liter|m c d \u03bc u|\u5347 \u30ea\u30c3\u30c8\u30eb \ub9ac\ud130
mole|amount|mol|mols|m \u03bc u k|\u6469\u5c14
coulomb|charge|C||m \u03bc u n p|
farad|capacitance|F||m \u03bc u n p|
tesla|field|T||m|
weber|flux|Wb|||
henry|inductance|H||m \u03bc|
electronvolt|energy|eV||k M G m|
calorie|energy|cal||k|
bar|pressure|bar||m|
atmosphere|pressure|atm|||
mercury|pressure|mmHg|||
angstrom|length|\u00c5|\u00e5ngstr\u00f6m||
unit|bare||||
degree|angle|\u00b0 deg degs|||\u5ea6 \ub3c4
radian|angle|rad rads|||
celsius|temperature||centigrade||\u6444\u6c0f\u5ea6 \u651d\u6c0f\u5ea6
fahrenheit|temperature||||\u534e\u6c0f\u5ea6
inch|length|in|inche inches||
foot|length|ft|feet||
yard|length|yd yds|||
mile|length|mi|||
acre|area||||
hectare|area|ha|||\u516c\u9877
tonne|mass|t|ton tonnes||\u5428
ounce|mass|oz|||
gallon|capacity|gal|||
dollar|dollars|$ USD|||
euro|euros|\u20ac EUR|||
pound|pounds|\u00a3 GBP|||
lb|mass|lb lbs|||
yuan|yuan|\u00a5 RMB CNY|||\u5143
yen|yen|JPY|||\u5186
won|won|KRW|||\uc6d0
cent|cents||||
revolution|turns|rev|||
"""
_EASTERN = {
    "\u516c\u5c3a": Known("metre", "length"),
    "\u516c\u91cc": Known("kilometre", "length"),
    "\u516c\u5206": Known("centimetre", "length"),
    "\u516c\u65a4": Known("kilogram", "mass"),
}


def _read() -> tuple[dict[str, Known], dict[str, Known], dict[str, Known]]:
    symbols: dict[str, Known] = {}
    words: dict[str, Known] = {}
    eastern = dict(_EASTERN)
    for line in _TABLE.strip().splitlines():
        name, dimension, signs, others, prefixes, scripts = line.split("|")
        known = Known(name, dimension)
        prefixed = {p: Known(_PREFIXES[p] + name, dimension) for p in prefixes.split()}
        for sign in signs.split():
            symbols[sign] = known
            symbols |= {p + sign: unit for p, unit in prefixed.items() if len(sign) < 4}
        for word in (name, *others.split()):
            words[word] = known
            words |= {_PREFIXES[p] + word: unit for p, unit in prefixed.items()}
        for script in scripts.split():
            eastern[script] = known
            if prefixes:
                eastern |= {
                    p + script: Known(written + name, dimension)
                    for p, written in _EASTERN_PREFIXES.items()
                }
    return symbols, words, eastern


SYMBOLS, NAMES, _BY_SCRIPT = _read()
"""Units by symbol, where the case counts, and by name in small letters."""
NAMES |= _BY_SCRIPT
EAST_ASIAN = sorted(_BY_SCRIPT, key=len, reverse=True)
"""Names in East Asian scripts, the longest first."""
SINGLE_SIGNS = "\u00b0$\u20ac\u00a3\u00a5"
DEGREES = {
    **dict.fromkeys(("C", "c", "celsius", "centigrade"), Known("celsius", "temperature")),
    **dict.fromkeys(("F", "f", "fahrenheit"), Known("fahrenheit", "temperature")),
    **dict.fromkeys(("K", "kelvin"), Known("kelvin", "temperature")),
}
"""Scales of temperature, which may follow "degree"."""

_PER_HOUR, _PER_SECOND = (SYMBOLS["h"], -1), (SYMBOLS["s"], -1)
COMPOUNDS: dict[str, tuple[tuple[Known, int], ...]] = {
    **dict.fromkeys(("mph", "MPH"), ((SYMBOLS["mi"], 1), _PER_HOUR)),
    **dict.fromkeys(("kph", "kmph", "kmh", "KPH"), ((SYMBOLS["km"], 1), _PER_HOUR)),
    "mps": ((SYMBOLS["m"], 1), _PER_SECOND),
    "rpm": ((SYMBOLS["rev"], 1), (SYMBOLS["min"], -1)),
    "Nm": ((SYMBOLS["N"], 1), (SYMBOLS["m"], 1)),
    "kWh": ((SYMBOLS["kW"], 1), (SYMBOLS["h"], 1)),
    "Wh": ((SYMBOLS["W"], 1), (SYMBOLS["h"], 1)),
    "mAh": ((SYMBOLS["mA"], 1), (SYMBOLS["h"], 1)),
    **dict.fromkeys(("cc", "ccm"), ((SYMBOLS["cm"], 3),)),
    "sqcm": ((SYMBOLS["cm"], 2),),
    "sqm": ((SYMBOLS["m"], 2),),
    "sqkm": ((SYMBOLS["km"], 2),),
    "sqft": ((SYMBOLS["ft"], 2),),
    "M": ((SYMBOLS["mol"], 1), (SYMBOLS["L"], -1)),
}
"""Symbols of compound units in one word."""
