"""What a text weighs on X, before it is posted. `python examples/post_weight.py`."""

from convergekit.content import render
from convergekit.content.twitter_text import entities, parse, weighted_length
from convergekit.model import Capabilities, Message, TextLimit

TEXT = "Hello @ann 👍🏽, your parcel: https://shop.example.com/track?number=1234567890 #delivery"


# [count]
def count() -> None:
    print(len(TEXT), "code points weigh", weighted_length(TEXT))

    post = parse(TEXT * 8)
    print(post.length, post.valid, post.valid_range)


# [count end]


# [find]
def find() -> None:
    found = entities(TEXT)
    print([each.url for each in found.urls])
    print([each.name for each in found.mentions], [each.name for each in found.hashtags])


# [find end]


# [split]
def split() -> None:
    post = Capabilities(text=TextLimit(max=280, unit="weighted"))
    for part in render(Message(f"{TEXT}\n" * 8), post).parts:
        print(weighted_length(part.text or ""))


# [split end]

if __name__ == "__main__":
    count()
    find()
    split()
