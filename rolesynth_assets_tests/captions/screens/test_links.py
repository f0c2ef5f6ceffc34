"""Links, bare addresses, and ordinary text with dots in it."""

import pytest

from rolesynth_assets.captions.screens.links import find_link

LINKS = [
    "A red apple on a table. See https://evil.example/x for more.",
    "A red apple on a table (http://evil.example).",
    "Visit www.shop.example for more apples like this one.",
    "A red apple ![beacon](https://evil.example/p.png) on a table.",
    'A sign reads "![beacon](http://127.0.0.1:8000/p)" above the door.',
    "A red [apple](javascript:alert(1)) on a table.",
    "A red [apple][1] on a table.",
    "A red apple <https://evil.example> on a table.",
    "A red apple and data:image/png;base64,AAAA on a table.",
    "Write to mailto:someone@evil.example about the apple.",
    "A red apple //evil.example/p.png on a table.",
]
ADDRESSES = [
    ("A red apple. Visit example-shop.com for more.", "example-shop.com"),
    ("A red apple from example-shop.com on a table.", "example-shop.com"),
    ("A red apple, EXAMPLE-SHOP.COM, on a table.", "EXAMPLE-SHOP.COM"),
    ("A red apple (evil.example/p.png).", "evil.example/p.png"),
    ("A red apple. More at shop.example.co.uk.", "shop.example.co.uk"),
    ("A red apple. See bit.ly/3abc.", "bit.ly/3abc"),
    ("A red apple. Visit apples.de today.", "apples.de"),
    ("A red apple. Visit our website apples.it today.", "apples.it"),
    ("A red apple. Visit our website https://evil.example today.", "https://evil.example"),
    ("A red apple on a poster, go to example-shop.com now.", "example-shop.com"),
    ("A red apple, t.me/apples, on a table.", "t.me/apples"),
    ("A red apple. Write to info@example-shop.com today.", "info@example-shop.com"),
    ("A red apple. Visit example-shop dot com.", "example-shop dot com"),
    ("A red apple. Visit example-shop[.]com.", "example-shop[.]com"),
    ("A red apple. Visit example-shop\uff0ecom.", "example-shop.com"),
    ("A red apple. Visit 10.0.0.1:8080.", "10.0.0.1:8080"),
    ("A red apple at 10.0.0.1/p on a table.", "10.0.0.1/p"),
    ("Красное яблоко, магазин.рф, на столе.", "магазин.рф"),
    ("A red apple, xn--e1afmkfd.xn--p1ai, on a table.", "xn--e1afmkfd.xn--p1ai"),
    ("A red apple. Besuchen Sie apfel-shop.com.", "apfel-shop.com"),
    ("A red apple, shop.com.The dog sleeps.", "shop.com"),
]
ORDINARY = [
    "A wall of 3.5 m.The gate is open.",
    "A dog sleeps on a mat.It is brown.",
    "A dog sleeps on a mat.in front of a door.",
    "A cup stands on a table.to the left lies a spoon.",
    "Un perro duerme.De fondo hay una casa.",
    "A screen with the file photo.jpg open.",
    "A label names the file report.pdf and the folder notes.txt.",
    "A laptop runs a Node.js program called main.py.",
    "A folder holds clip.mov, archive.zip, readme.md and logo.ai.",
    "A clock shows 10.30 a.m.in the station.",
    "The U.S. flag flies at noon, e.g. on a school.",
    "St.Mary church and Dr.No on a screen.",
    "No.1 runner and No.2 runner shake hands.",
    "Version 1.2.3.4 is on a box.",
    "A billboard for Amazon.com rises over the road.",
    "A van of example-shop.com stands in the rain.",
    "An example-shop.com logo is above the door.",
    "A Booking.com sign glows.",
    "A sign reads example-shop.com in red letters.",
    "A sign says: visit example-shop.com today.",
    'A T-shirt reads "example-shop.com".',
    "A poster shows the address example-shop.com.",
    "A card with info@example-shop.com printed on it.",
    "A watermark, photos.example, runs across the corner.",
    "A polka dot commode stands beside a bed.",
    "Prices of 1.50 and 2.75 are on the tags; a ratio of 1:2.",
    "A man (in a hat).A woman waits.",
    "Two cats...net and ball lie beside them.",
    "一只猫。网在旁边。",
    "The shop front of Hotels.com is lit at night.",
    "The headquarters of Booking.com stand by a canal.",
    "A Hotels.com booth at a fair.",
]


@pytest.mark.parametrize("text", LINKS)
def test_links_and_pictures_are_found(text: str) -> None:
    assert find_link(text)


@pytest.mark.parametrize(("text", "address"), ADDRESSES)
def test_a_bare_address_is_a_link(text: str, address: str) -> None:
    found = find_link(text)
    assert found and address in found


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_with_dots_is_no_link(text: str) -> None:
    assert find_link(text) is None
