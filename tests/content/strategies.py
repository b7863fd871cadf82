"""Text as people write it, and as nobody should: emoji sequences, marks, URLs, white space of every kind."""

from hypothesis import strategies as st

WORDS = st.sampled_from(
    [
        *(
            "hello",
            "wörld",
            "日本語テキスト",
            "สวัสดี",
            "हिन्दी",
            "𝔘𝔫𝔦",
            "e\u0301\u0302",
            "שלום",
        ),
        *("\u202eabc\u202c", "don't", "a-b"),
        *(
            "👨\u200d👩\u200d👧\u200d👦",
            "🇩🇪🇫🇷🇩",
            "👍🏽",
            "1\ufe0f\u20e3",
            "\u0600\u0661",
        ),
        *("각", "\u1100\u1161\u11a8", "क्ष"),
        *(
            "https://example.org/a?b=c&d=e#f",
            "www.example.org/x",
            "mailto:ann@example.org",
        ),
        *("€{}[]", "ç`", "\u00a0", "x" * 40),
        *(
            "*",
            "**b**",
            "_i_",
            "`c`",
            "[l](http://e.org)",
            "#",
            ">",
            "-",
            "1.",
            "<b>",
            "&amp;",
        ),
        *("|", "\\", "~~s~~", "!["),
    ]
)
SPACES = st.sampled_from(
    [" ", "  ", "\n", "\n\n", "\t", "\r\n", "\u3000", "\u200b", "", "", " \u0301", "\n  ", "\u2028"]
)
CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\x00")

texts = st.lists(st.one_of(WORDS, SPACES, st.text(CHARACTERS, max_size=6)), max_size=30).map("".join)
