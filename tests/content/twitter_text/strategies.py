"""Text as people write it on X, and as nobody should: what is nearly a URL, a mention, a hashtag, an emoji."""

from hypothesis import strategies as st

WORDS = st.sampled_from(
    [
        *(
            "example.com",
            "EXAMPLE.COM",
            "example.comfoo",
            "a.co",
            "t.co/abc",
            "x.みんな",
            "日本語.com",
            "sub_domain.example.org",
        ),
        *(
            "http://",
            "https://example.org/a?b=c&d=e#f",
            "https://e.org/(a(b))!",
            "www.",
            "name@mail.com",
            "e.g.",
            "5.00",
        ),
        *("@ann", "@ann/list-1", "＠ann", "RT@ann", "#tag", "＃日本語", "#1", "$TEST", "$a.b", "$5"),
        *("hello", "日本語テキスト", "Grüße", "e\u0301", "q\u0307\u0323", "\u212b", "각", "क्ष", "שּׁ", "€", "…", "—"),
        *(
            "👨\u200d👩\u200d👧\u200d👦",
            "❤\ufe0f\u200d🔥",
            "🇩🇪",
            "🇽🇽",
            "👍🏽",
            "🐱🏽",
            "1\ufe0f\u20e3",
            "😀",
            "©\ufe0f",
        ),
        *(
            "a" * 30,
            "b" * 70,
            "日" * 64,
            "x." * 20,
            "a_b.",
            "-",
            "_",
            ".",
            "..",
            "/",
            ":",
            "?",
            "#",
            "@",
            "$",
            "&",
            "(",
            ")",
        ),
        *("\u202a", "\u200e", "\ufeff", "\uffff", "\ufe0f", "\u200d", "xn--", "xn--ls8h.la"),
    ]
)
SPACES = st.sampled_from([" ", "  ", "\n", "\n\n", "\u3000", "", "", ""])
CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\x00\u200b")

posts = st.lists(st.one_of(WORDS, SPACES, st.text(CHARACTERS, max_size=4)), max_size=40).map("".join)
