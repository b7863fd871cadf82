"""Who speaks is told from what programs say of themselves; in doubt it is a person, whom a program may answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit.adapters.email.details import MailKind
from convergekit.adapters.email.reading.kind import kind_of, reverse_path
from convergekit.adapters.email.reading.mail import read
from tests.adapters.email.reading.mails import letter, mail, multipart

STATUS = """Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net

Final-Recipient: rfc822; ann@example.net
Action: {action}
Status: {status}
"""
WORDS = "Content-Type: text/plain\n\nThis is what became of your mail."


def report(type: str, *parts: str) -> bytes:
    return multipart("report", WORDS, *parts, parameters=f"; report-type={type}" if type else "")


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({}, MailKind.PERSON),
        ({"Auto-Submitted": "no"}, MailKind.PERSON),
        ({"Precedence": "first-class"}, MailKind.PERSON),
        ({"Feedback-ID": "1:campaign:shop"}, MailKind.PERSON),
        ({"X-Auto-Response-Suppress": "DR, RN, NRN"}, MailKind.PERSON),
        ({"X-Autoreply": "no"}, MailKind.PERSON),
        ({"Subject": "Automatic reply: how do I set one up?"}, MailKind.PERSON),
        ({"From": "postmaster@example.net"}, MailKind.PERSON),
        # RFC 3834 §5, with what may stand behind it
        ({"Auto-Submitted": "auto-generated"}, MailKind.AUTOMATIC),
        ({"Auto-Submitted": "Auto-Notified; owner-email=x@example.net"}, MailKind.AUTOMATIC),
        ({"Auto-Submitted": "auto-replied"}, MailKind.AUTO_REPLY),
        ({"Auto-Submitted": "auto-replied (vacation)"}, MailKind.AUTO_REPLY),
        ({"Auto-Submitted": "whatever"}, MailKind.AUTOMATIC),
        # What was in use before it
        ({"X-Autoreply": "yes"}, MailKind.AUTO_REPLY),
        ({"X-Autorespond": "Re: Parcel"}, MailKind.AUTO_REPLY),
        ({"X-Autoresponder": "1"}, MailKind.AUTO_REPLY),
        ({"Precedence": "auto_reply"}, MailKind.AUTO_REPLY),
        ({"Precedence": "bulk"}, MailKind.AUTOMATIC),
        ({"Precedence": "Junk"}, MailKind.AUTOMATIC),
        ({"X-Loop": "robot@example.net"}, MailKind.AUTOMATIC),
        ({"X-Auto-Response-Suppress": "All"}, MailKind.AUTOMATIC),
        ({"X-Auto-Response-Suppress": "DR, OOF, AutoReply"}, MailKind.AUTOMATIC),
        ({"List-Unsubscribe": "<https://example.net/u>"}, MailKind.AUTOMATIC),
        ({"From": "no-reply@example.net"}, MailKind.AUTOMATIC),
        ({"From": "Do-Not-Reply.orders@example.net"}, MailKind.AUTOMATIC),
        # An absence that says so in its subject, and somewhere else
        ({"Auto-Submitted": "auto-generated", "Subject": "Automatic reply: Parcel"}, MailKind.AUTO_REPLY),
        ({"X-Auto-Response-Suppress": "All", "Subject": "Abwesenheitsnotiz: Paket"}, MailKind.AUTO_REPLY),
        ({"Auto-Submitted": "auto-generated", "Subject": "Réponse automatique : Colis"}, MailKind.AUTO_REPLY),
        ({"Return-Path": "<>", "In-Reply-To": "<ours@example.org>"}, MailKind.AUTO_REPLY),
        ({"Return-Path": "<>"}, MailKind.AUTOMATIC),
        ({"Auto-Submitted": "auto-generated", "In-Reply-To": "<ours@example.org>"}, MailKind.AUTOMATIC),
        # Lists (RFC 2919, RFC 2369)
        ({"List-Id": "Talk <talk.example.net>"}, MailKind.LIST),
        ({"List-Post": "<mailto:talk@example.net>"}, MailKind.LIST),
        ({"Precedence": "list"}, MailKind.LIST),
        ({"Precedence": "list", "List-Unsubscribe": "<mailto:u@example.net>"}, MailKind.LIST),
        ({"List-Id": "<talk.example.net>", "Auto-Submitted": "auto-replied"}, MailKind.AUTO_REPLY),
        ({"List-Id": "<talk.example.net>", "Auto-Submitted": "auto-generated"}, MailKind.AUTOMATIC),
        # Mail systems
        ({"X-Failed-Recipients": "bob@example.net"}, MailKind.BOUNCE),
        ({"From": "Mail Delivery System <MAILER-DAEMON@example.net>"}, MailKind.BOUNCE),
        ({"From": "postmaster@example.net", "Return-Path": "<>"}, MailKind.BOUNCE),
        ({"From": "postmaster@example.net", "Auto-Submitted": "auto-replied"}, MailKind.BOUNCE),
    ],
)
def test_kind(fields: dict[str, str], kind: MailKind) -> None:
    assert kind_of(letter(fields), envelope_from=None)[0] is kind


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (report("delivery-status", STATUS.format(action="failed", status="5.1.1")), MailKind.BOUNCE),
        (report("delivery-status", STATUS.format(action="delayed", status="4.0.0")), MailKind.DELIVERY_REPORT),
        (report("delivery-status", STATUS.format(action="relayed", status="2.0.0")), MailKind.DELIVERY_REPORT),
        (report("Delivery-Status", STATUS.format(action="Failed", status="5.0.0")), MailKind.BOUNCE),
        (report("", STATUS.format(action="failed", status="5.1.1")), MailKind.BOUNCE),
        (report("delivery-status"), MailKind.BOUNCE),
        (report("delivery-status", "Content-Type: message/delivery-status\n\nReporting-MTA: dns; x"), MailKind.BOUNCE),
        (multipart("mixed", WORDS, STATUS.format(action="failed", status="5.1.1")), MailKind.PERSON),
        (
            report("disposition-notification", "Content-Type: message/disposition-notification\n\n"),
            MailKind.READ_RECEIPT,
        ),
        (report("", "Content-Type: message/disposition-notification\n\n"), MailKind.READ_RECEIPT),
        (
            report("feedback-report", "Content-Type: message/feedback-report\n\nFeedback-Type: abuse"),
            MailKind.COMPLAINT,
        ),
        (report("something-new", "Content-Type: message/something\n\n"), MailKind.PERSON),
    ],
)
def test_kind_of_report(raw: bytes, kind: MailKind) -> None:
    assert kind_of(read(raw), envelope_from=None)[0] is kind


@pytest.mark.parametrize(
    "name",
    [
        *("X-Autoreply", "X-Auto-Reply", "X-AutoReply-From", "X-Auto-Reply-From", "X-Autorespond", "X-Autoresponder"),
        *("X-Autogenerated", "X-Mail-Autoreply"),
    ],
)
def test_every_field_that_marks_a_reply(name: str) -> None:
    assert kind_of(letter({name: "1"}), envelope_from=None)[0] is MailKind.AUTO_REPLY
    assert kind_of(letter({name: "False"}), envelope_from=None)[0] is MailKind.PERSON


@pytest.mark.parametrize("name", ["List-Id", "List-Post", "Mailing-List", "X-Mailing-List", "X-BeenThere"])
def test_every_field_that_marks_a_list(name: str) -> None:
    assert kind_of(letter({name: "<talk.example.net>"}), envelope_from=None)[0] is MailKind.LIST


@pytest.mark.parametrize("local", ["Mailer-Daemon", "maildaemon", "Mail-Daemon", "MAILERDAEMON", "mdaemon"])
def test_every_name_of_a_mail_system(local: str) -> None:
    assert kind_of(letter({"From": f"{local}@example.net"}), envelope_from=None)[0] is MailKind.BOUNCE


@pytest.mark.parametrize(
    "local",
    [
        *("noreply", "no-reply", "no.reply", "No_Reply-17", "donotreply", "do-not-reply", "dont-reply", "never-reply"),
        *("no-response", "do-not-answer", "nicht-antworten"),
    ],
)
def test_every_address_that_takes_no_answer(local: str) -> None:
    raw = letter({"From": f"{local}@example.net"})

    assert kind_of(raw, envelope_from=None) == (MailKind.AUTOMATIC, False)


@pytest.mark.parametrize("local", ["noah", "nora.reply", "reply", "norepl", "donna", "owner", "request", "bounces"])
def test_people_may_have_names_like_that(local: str) -> None:
    assert kind_of(letter({"From": f"{local}@example.net"}), envelope_from=None) == (MailKind.PERSON, True)


@pytest.mark.parametrize(
    "subject",
    [
        *("Automatic reply: Parcel", "Auto-Reply: Parcel", "Autoreply Parcel", "Auto: Parcel", "Auto Response: x"),
        *("Out of Office: Parcel", "Out of the office Re: Parcel", "[EXT] Automatic reply: Parcel"),
        *("Automatische Antwort: Paket", "Abwesenheitsnotiz: Paket", "Abwesenheitsmeldung", "Abwesenheitsnachricht"),
        *("Réponse automatique : Colis", "Absence du bureau : Colis", "Absent du bureau"),
        *(
            "Respuesta automática: Paquete",
            "Fuera de la oficina: x",
            "Resposta automática: Pacote",
            "Fora do escritório",
        ),
        *(
            "Risposta automatica: Pacco",
            "Fuori sede: Pacco",
            "Fuori ufficio",
            "Automatisch antwoord: Pakje",
            "Afwezig: x",
        ),
        *("Automatiskt svar: Paket", "Autosvar: Pakke", "Automatisk svar: Pakke", "Frånvaro: x", "Fravær: x"),
        *("Automaattinen vastaus: Paketti", "Poissa: x", "Odpowiedź automatyczna: Paczka", "Autoodpowiedź: x"),
        *("Automatická odpověď: Balík", "Automatická odpoveď: Balík", "Automatikus válasz: Csomag"),
        *("Răspuns automat: Colet", "Автоматический ответ: Посылка", "Автоответ", "Автоматична відповідь: x"),
        *(
            "Автоматичен отговор: x",
            "Αυτόματη απάντηση: Δέμα",
            "Otomatik yanıt: Paket",
            "自动回复: 包裹",
            "自动答复: 包裹",
        ),
        *("自動回覆: 包裹", "自動返信: 小包", "自動応答: 小包", "不在通知: 小包", "자동 회신: 소포", "자동 응답: 소포"),
        *("מענה אוטומטי: חבילה", "رد تلقائي: طرد", "Trả lời tự động: x", "Balasan otomatis: x"),
    ],
)
def test_absence_is_told_by_its_subject_where_something_else_says_that_it_is_automatic(subject: str) -> None:
    assert kind_of(letter({"Subject": subject, "X-Auto-Response-Suppress": "All"}), envelope_from=None)[0] is (
        MailKind.AUTO_REPLY
    )
    assert kind_of(letter({"Subject": subject}), envelope_from=None)[0] is MailKind.PERSON


def test_report_that_a_person_forwards_is_not_a_report() -> None:
    """Signs count in the mail's own header only, never in that of a mail which it brings along."""
    inner = report("delivery-status", STATUS.format(action="failed", status="5.1.1")).decode()
    raw = multipart("mixed", "Content-Type: text/plain\n\nWhat is this?", f"Content-Type: message/rfc822\n\n{inner}")
    automatic = "Content-Type: message/rfc822\n\n" + mail({"Auto-Submitted": "auto-replied"}).decode()

    assert kind_of(read(raw), envelope_from=None) == (MailKind.PERSON, True)
    assert kind_of(read(multipart("mixed", WORDS, automatic)), envelope_from=None) == (MailKind.PERSON, True)


@pytest.mark.parametrize(
    ("fields", "may"),
    [
        ({}, True),
        ({"Auto-Submitted": "no"}, True),
        ({"From": "Shop <no-reply@example.net>", "Reply-To": "ann@example.net"}, True),  # a form on a web page
        ({"Auto-Submitted": "auto-replied"}, False),
        ({"Precedence": "bulk"}, False),
        ({"List-Id": "<talk.example.net>"}, False),
        ({"Return-Path": "<>"}, False),
        ({"From": "no-reply@example.net"}, False),
        ({"From": "owner-talk@example.net"}, False),
        ({"From": "talk-request@example.net"}, False),
        ({"From": "postmaster@example.net"}, False),
        ({"From": None}, False),
        ({"From": "nobody at all"}, False),
    ],
)
def test_a_program_may_answer_people_only(fields: dict[str, str | None], may: bool) -> None:
    """RFC 3834 §2: none to programs, to lists, and to whoever has no return path."""
    assert kind_of(letter(fields), envelope_from=None)[1] is may


def test_empty_reverse_path_of_the_envelope_forbids_an_answer() -> None:
    assert kind_of(letter(), envelope_from="") == (MailKind.AUTOMATIC, False)
    assert kind_of(letter({"Return-Path": "<>"}), envelope_from="ann@example.net") == (MailKind.PERSON, True)


@pytest.mark.parametrize(
    ("field", "envelope_from", "path"),
    [
        (None, None, None),
        ("<ann@example.net>", None, "ann@example.net"),
        ("<>", None, ""),
        (" < > ", None, ""),
        ("<>", "ann@example.net", "ann@example.net"),
        ("<ann@example.net>", "", ""),
        (None, "<ann@example.net>", "ann@example.net"),
    ],
)
def test_reverse_path_is_the_envelopes_or_what_was_written_down(
    field: str | None, envelope_from: str | None, path: str | None
) -> None:
    assert reverse_path(letter({"Return-Path": field}), envelope_from) == path


@given(
    st.dictionaries(
        st.sampled_from(["Auto-Submitted", "Precedence", "X-Auto-Response-Suppress", "List-Id", "From", "Return-Path"]),
        st.text(alphabet=st.characters(exclude_characters="\r\n"), max_size=30),
    ),
    st.none() | st.text(max_size=10),
)
def test_it_never_raises(fields: dict[str, str | None], envelope_from: str | None) -> None:
    raw = "\r\n".join([*(f"{name}: {value}" for name, value in fields.items()), "", "x"]).encode("utf-8", "replace")
    kind, may = kind_of(read(raw), envelope_from=envelope_from)

    assert kind is MailKind.PERSON or not may
