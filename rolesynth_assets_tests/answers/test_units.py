"""Units count in any spelling where the question names them, and never otherwise."""

# ruff: noqa: RUF001
from __future__ import annotations

import pytest

from rolesynth_assets.answers.equality import equal_by_rule
from rolesynth_assets.answers.task_type import TaskType
from rolesynth_assets.answers.units import read_unit

SPELLINGS = {
    "m/s": r"""m/s|m s^-1|m s-1|m·s⁻¹|m s^{-1}|meters per second|metres/second|\text{m/s}|mps
        |\mathrm{m/s}|\frac{m}{s}|m\cdot s^{-1}|\mathrm{m} / \mathrm{s}|米/秒|米每秒|m/sec""",
    "km/h": r"""km/h|km/hr|kmph|kph|kilometers per hour|km per hour|kilometres/hour|km h^-1
        |km·h⁻¹|千米/时|公里/小时|千米每小时|km/hour|\text{ km/h}|KM/H""",
    "°C": r"""°C|° C|℃|degrees Celsius|degree Celsius|degrees C|deg C|^\circ C|^{\circ}\text{C}
        |^\circ\mathrm{C}|Celsius|摄氏度|\degree C""",
    "°F": r"°F|℉|degrees Fahrenheit|^{\circ}F|degrees F|^{\circ}\mathrm{F}",
    "cm^2": r"""cm2|cm^2|cm²|cm^{2}|cm^{ 2 }|sq cm|sq. cm|square cm|square centimeters|cm squared
        |square centimetres|centimeters squared|cm**2|\text{cm}^2|\mathrm{cm}^{2}|\mathrm{~cm}^2
        |\,\text{cm}^2|㎠|平方厘米|cm$^2$|sq.cm|\text{ cm}^{2}|cm\textsuperscript{2}|CM2
        |平方センチメートル|제곱센티미터""",
    "m/s^2": r"""m/s2|m/s^2|m/s²|m s^-2|m s⁻²|m·s^{-2}|m/s/s|meters per second squared|m s-2
        |metres per second per second|\mathrm{m/s^2}|m/sec^2|米/秒²""",
    "mol/L": "mol/L|mol L^-1|mol·L⁻¹|moles per liter|mol/l|mol per litre|M|摩尔/升",
    "g/cm^3": r"""g/cm3|g/cm^3|g/cm³|g cm^-3|g·cm⁻³|grams per cubic centimeter|g/cc|克/立方厘米
        |gram per cubic centimetre|g/cm^{3}|\text{g/cm}^3""",
    "N m": r"""N m|N·m|Nm|N*m|N.m|N-m|newton metres|newton-meters|newton meter|N\cdot m|N⋅m
        |N \cdot \text{m}""",
    "cm": "cm|厘米|centimeters|公分|センチメートル|센티미터|Cm|CM",
    "kg": "kg|千克|公斤|kilograms|킬로그램|Kg",
}
CASES = [
    (unit, spelling.strip()) for unit, line in SPELLINGS.items() for spelling in line.split("|")
]


def same(one: str, other: str, question: str = "") -> bool | None:
    forth = equal_by_rule(one, other, TaskType.OPEN_ENDED, question)
    assert forth is equal_by_rule(other, one, TaskType.OPEN_ENDED, question)
    return forth


def written(spelling: str) -> str:
    space = "" if ord(spelling[0]) > 0x3000 or spelling[0] in "°℃℉^" else " "
    return f"36{space}{spelling}"


@pytest.mark.parametrize(("unit", "spelling"), CASES)
def test_every_spelling_of_a_unit_that_the_question_names(unit: str, spelling: str) -> None:
    answer = written(spelling)
    assert same(f"36 {unit}", answer) is True
    assert same("36", answer, f"How much is it, in {unit}?") is True
    assert same("36", f"36 {unit}", f"Give the answer in {spelling}.") is True
    assert same("36", answer) is None
    assert same("37", answer, f"How much is it, in {unit}?") is False


@pytest.mark.parametrize("unit", SPELLINGS)
@pytest.mark.parametrize("other", SPELLINGS)
def test_other_units_are_never_equal(unit: str, other: str) -> None:
    if unit != other:
        assert same(f"36 {unit}", f"36 {other}") is None
        assert same("36", f"36 {other}", f"How much is it, in {unit}?") is None


@pytest.mark.parametrize(
    ("one", "other", "question", "equal"),
    [
        ("36", "36平方厘米", "面积是多少平方厘米？", True),
        ("5", "5米/秒", "速度是多少米/秒？", True),
        ("5", "5 m", "求长度（米）", True),
        ("12", "12个", "一共有多少个苹果？", True),
        ("90", "90度", "这个角是多少度？", True),
        ("5", "5度", "速度是多少？", None),
        ("36", "36 cm$^2$", "Find the area in cm$^2$.", True),
        ("36", r"$36\text{ cm}^2$", r"Find the area in $\text{cm}^2$.", True),
        ("36", "36 cm2", "A square has a side of 6 cm. What is its area?", True),
        ("216", "216 cm3", "A cube has an edge of 6 cm. What is its volume?", True),
        ("36", "36 cm2", "A square has a side of 6 cm. What is its perimeter?", None),
        ("36", "36 m2", "A square has a side of 6 cm. What is its area?", None),
        ("5", "5 cm", "The board is 500 cm long. How long is it in m?", None),
        ("5", "5 m", "The board is 500 cm long. How long is it in m?", True),
        ("5", "5 m", "What is the speed in metres per second?", None),
        ("5 mW", "5 MW", "", None),
        ("5 mm", "5 Mm", "", None),
        ("5 \u00a3", "5 lb", "", None),
        ("5 days", "5 day(s)", "", True),
        ("3", "3x2", "", None),
        ("5", "5cm", "長さは何cmですか", True),
        ("5", "5m", "長さは何mですか", True),
        ("5", "5 cm", "길이는 몇cm입니까", True),
        ("45", "45°", "What is the size of angle ABC?", True),
        ("45", "45°", "∠ABC is how large?", True),
        ("45", "45°", "What is angle ABC in radians?", None),
        ("5", "5 lbs", "What is the weight in pounds?", True),
        ("5", "5 J/(kg·K)", "What is the heat capacity in J/(kg K)?", True),
        ("5", "5 million people", "How many people live there?", False),
        ("2", "2H2O", "", None),
    ],
)
def test_a_unit_counts_only_where_it_is_meant(
    one: str, other: str, question: str, equal: bool | None
) -> None:
    assert same(one, other, question) is equal


def test_units_have_one_name_and_things_are_counted():
    joule = read_unit("kg m^2/s^2")
    assert joule is not None
    assert joule.name == "kilogram metre^2 second^-2"
    assert (
        read_unit("J/(kg K)") == read_unit("J kg^-1 K^-1") == read_unit("joules/(kilogram*kelvin)")
    )
    things = read_unit("red apples")
    assert things is not None
    assert (things.name, things.measured) == ("red apple", False)
    assert read_unit("H2O") is None
    assert read_unit("^2") is None


@pytest.mark.parametrize(
    ("answer", "question", "equal"),
    [
        ("12 square units", "What is the area of the triangle?", True),
        ("12 sq. units", "What is the area of the triangle?", True),
        ("12 units", "How long is the side?", True),
        ("12 units^2", "area in square units?", True),
        ("12 cubic units", "Find the volume.", True),
        ("12 mm Hg", "pressure in mmHg?", True),
        ("12 mmHg", "pressure in mm Hg?", True),
        ("12 \u00c5", "bond length in angstroms?", True),
        ("12 \u212b", "bond length in \u00c5?", True),
        ("12 C", "temperature in degrees Celsius?", True),
        ("12 F", "temperature in Fahrenheit?", True),
        ("12 C", "charge in coulombs?", True),
        ("12 \\rm cm^2", "area in cm^2?", True),
        ("12 units", "How long is the side in cm?", None),
        ("12 C", "What is shown?", None),
    ],
)
def test_units_of_figures_and_scales(answer: str, question: str, equal: bool | None) -> None:
    assert equal_by_rule("12", answer, TaskType.OPEN_ENDED, question) is equal
