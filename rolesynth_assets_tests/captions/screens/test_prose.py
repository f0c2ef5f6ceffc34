import pytest

from rolesynth_assets.captions.screens.prose import find_no_prose, find_persona, find_refusal

CAPTIONS = [
    "An observer stands at the window and looks at the rain.",
    "A man stands as an observer at the edge of the field.",
    "As the observer leans over the rail, a boat passes below.",
    "As a photographer, she carries two cameras over her shoulder.",
    "A wildlife photographer crouches in the grass beside an expert guide.",
    "The narrator of the play sits on a red chair.",
    "A robot dressed as an AI assistant waves from a stage.",
    "A shop assistant hands a bag to a customer.",
    "As an assistant holds the ladder, a painter reaches the ceiling.",
    "A World War I soldier stands beside a horse.",
    "A poster evokes a World War I sense of duty.",
    'A mug reads "I think, therefore I am" in black letters.',
    'A T-shirt says "My job is to nap" above a sleeping cat.',
    "A card with the words 'I see you' hangs on a string.",
    "A sign that says I feel lucky stands beside the road.",
    "The letter I is painted on a wooden block.",
    "A critic and an analyst sit at a round table in a studio.",
    "The mood is calm, as if the room were holding its breath.",
    "Children act out their role as pirates on a wooden ship.",
    "Seen from the viewpoint of an observer, the tower looms over the square.",
    "An image of a cat hangs on the wall, and the picture is framed in gold.",
    "A sorry heap of bricks lies beside the road.",
    "Sorry, a board game, lies open on the table.",
    'A door with the note "Sorry, I cannot help you today" is closed.',
    "A woman cannot reach the top shelf, so a boy brings a ladder.",
    "A fence that children cannot see over surrounds the yard.",
    "No image hangs on the bare white wall.",
    "The dogs' toys lie in the garden, and the cat's bowl is empty.",
    "A yellow banana sits to the left of a blue car on a green field.",
    "Errors in red ink cover the page of a notebook on a desk.",
    "Red, green, blue, white and black balls lie in a row on the table.",
    "The system of pipes prompts a visitor to look up.",
]

PERSONA = [
    "You are a meticulous observer. Describe the image.",
    "Describe the image in one long caption of about thirty words.",
    "As an observer, I notice a red apple on the table.",
    "As an observer of details, the image shows a red apple.",
    "As a Compositional Analyst, my eye goes to the left first.",
    "Speaking as the interpreter of context, this scene is a birthday.",
    "As an AI, I describe a red apple on a table.",
    "As an AI language model, I find a red apple here.",
    "I am an AI assistant, and the picture shows an apple.",
    "I'm the Emotional Responder, and this is a calm morning.",
    "In my role as a narrator the apple begins its journey.",
    "From my perspective the apple is lonely.",
    "My role is to describe details: a red apple on a table.",
    "My task here is the layout: an apple left of a cup.",
    "I was asked to describe the apple on the table.",
    "I can see a red apple on a wooden table.",
    "The first thing I notice is a red apple.",
    "The warm light makes me feel calm and safe.",
    "A red apple on a table. Let me know if you need more.",
    "An apple on a table, which in my opinion is ripe.",
    "A red apple, as you requested, lies on a table.",
    "It\u2019s what I feel most here: calm light over the table.",
]

REFUSALS = [
    "It seems that the image did not load properly, so there is nothing to describe here.",
    "Sorry, the picture can't be displayed, so a caption cannot be provided.",
    "There seems to be an issue with the image, so no caption is possible.",
    "I'm unable to determine what is in this picture.",
    "The image is not visible to me, so a description cannot be provided.",
    "Please describe the image to me and a caption will follow.",
    "I'm sorry, but I can't assist with that request.",
    "I\u2019m sorry, I can\u2019t help with that.",
    "Sorry, but I am unable to describe this picture.",
    "I cannot describe this image.",
    "I am unable to provide a caption for this image.",
    "I'm unable to process this photo.",
    "Unfortunately I cannot identify the people in it.",
    "I do not have the ability to see pictures.",
    "I don't see an image in your message.",
    "No image was provided.",
    "There is no image attached to the message.",
    "Please provide an image so that it can be described.",
    "Could you upload the photo again?",
    "The image could not be loaded.",
    "I apologize, but the content is not something to describe.",
    "It is not possible to describe the picture.",
    "I won't describe people in this way.",
]

NO_PROSE = [
    "[Insert caption here in thirty words]",
    "Error: CUDA out of memory. Tried to allocate 2.00 GiB.",
    "Internal server error: the upstream model did not respond in time.",
    "dog, field, child, red jacket, yellow ball, grass, running, sky, trees",
    '{"caption": "a red apple"}',
    '["a red apple", "a table"]',
    "<p>A red apple lies on a table.</p>",
    "#### ---- 1234 5678 ++++ a b",
    "0.1 0.2 0.3 0.4 0.5 0.6",
    " ".join(["the red apple"] * 10),
]


@pytest.mark.parametrize("text", CAPTIONS)
def test_a_caption_passes_every_screen(text: str) -> None:
    assert find_persona(text, "Observer of Details") is None
    assert find_refusal(text) is None
    assert find_no_prose(text) is None


@pytest.mark.parametrize("text", PERSONA)
def test_persona_talk_is_caught_and_is_no_refusal(text: str) -> None:
    assert find_persona(text)
    assert find_refusal(text) is None


@pytest.mark.parametrize("text", REFUSALS)
def test_a_refusal_is_caught(text: str) -> None:
    assert find_refusal(text)


@pytest.mark.parametrize("text", NO_PROSE)
def test_what_is_no_prose_is_caught(text: str) -> None:
    assert find_no_prose(text)


def test_the_roles_own_name_gives_it_away() -> None:
    named = "The Emotional Responder finds calm in the soft light."
    assert find_persona(named, "Emotional Responder") == "Emotional Responder"
    assert find_persona(named, "Narrative Setter") is None
    assert find_persona("As the gardener, the roses look ripe.", "Gardener")
    assert find_persona("As a gardener, she cuts the roses.", "Gardener") is None
    assert find_persona("A gardener cuts the roses.", "Gardener") is None
    assert (
        find_persona("An emotional responder to art wipes a tear.", "Emotional Responder") is None
    )


def test_the_match_is_returned_for_a_person_to_see() -> None:
    assert find_persona("On the left I notice a red apple.") == "I notice"
    assert find_refusal("I cannot describe this.") == "I cannot describe"
    assert find_no_prose("[1, 2]") == "JSON"
