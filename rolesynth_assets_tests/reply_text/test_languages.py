import pytest

from rolesynth_assets.reply_text.languages import LANGUAGES, find_other_language
from rolesynth_assets_tests.captions.screens.test_prose import CAPTIONS
from rolesynth_assets_tests.captions.screens.test_shown_words import SHOWN

ENGLISH = [
    *CAPTIONS,
    *SHOWN,
    "Two dogs run",
    "The Eiffel Tower in Paris, France",
    "A bowl of spaghetti alla carbonara and a cappuccino.",
    "A croissant beside a café au lait",
    "Tacos and salsa verde on a plate",
    "Plaza de la Constitución, Sevilla",
    'A sign reads "La vie est belle sur la terre et dans les cieux".',
    "A sign with 出口 in white letters hangs over the door of a station.",
]
OTHERS = {
    "ar": "تفاحة حمراء على طاولة",
    "cs": "Červené jablko leží na dřevěném stole.",
    "de": "Ein roter Apfel liegt auf einem Holztisch.",
    "es": "Una manzana roja descansa sobre una mesa de madera.",
    "fi": "Punainen omena on puisella pöydällä ja sen vieressä on kuppi.",
    "fr": "Une pomme rouge est posée sur une table en bois.",
    "hi": "एक लाल सेब मेज पर है।",
    "id": "Sebuah apel merah terletak di atas meja kayu.",
    "it": "Una mela rossa su un tavolo di legno.",
    "ja": "木のテーブルの上に赤いリンゴがあります。",
    "ko": "나무 탁자 위에 빨간 사과가 있다.",
    "nl": "Een rode appel ligt op een houten tafel.",
    "pl": "Czerwone jabłko leży na drewnianym stole.",
    "pt": "Uma maçã vermelha sobre uma mesa de madeira.",
    "ru": "Красное яблоко лежит на столе.",
    "sv": "Ett rött äpple ligger på ett träbord.",
    "tr": "Kırmızı bir elma tahta masanın üzerinde duruyor.",  # noqa: RUF001
    "vi": "Một quả táo đỏ nằm trên bàn gỗ.",
    "zh": "一个红苹果放在木桌上。",
}


@pytest.mark.parametrize("text", ENGLISH)
def test_english_with_foreign_names_is_english(text: str) -> None:
    assert find_other_language(text, "en") is None


@pytest.mark.parametrize(("language", "text"), OTHERS.items())
def test_another_language_is_told_apart_from_english(language: str, text: str) -> None:
    assert find_other_language(text, "en")
    assert find_other_language(text, language) is None


@pytest.mark.parametrize("language", OTHERS)
def test_english_is_not_taken_for_another_language(language: str) -> None:
    assert find_other_language("The red apple lies on a table in the sun.", language)


def test_one_sentence_in_another_language_is_enough() -> None:
    assert find_other_language(f"A red apple. {OTHERS['fr']}", "en")
    assert find_other_language(f"A red apple lies on the table. {OTHERS['zh']}" * 3, "en")


def test_a_language_without_function_words_is_known_by_its_script() -> None:
    assert "sw" in LANGUAGES
    assert find_other_language("Tufaha jekundu liko juu ya meza.", "sw") is None
    assert find_other_language(OTHERS["ru"], "sw")
