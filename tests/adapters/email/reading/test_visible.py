"""What was written anew stays, what is quoted and what signs it goes; in doubt it stays."""

import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit.adapters.email.reading.visible import visible
from convergekit.content.html import to_text

QUOTE = "> Where is my parcel?\n> Ann"

#: How programs introduce a quote, by language; `>` lines follow.
INTRODUCTIONS = {
    "en-gmail": "On Mon, Jan 5, 2026 at 12:00 PM Ann Example <ann@example.org> wrote:",
    "en-gmail-wrapped": "On Mon, Jan 5, 2026 at 12:00 PM Ann Rather-Long Example <\nann@example.org> wrote:",
    "en-wrapped-verb": "On Mon, Jan 5, 2026 at 12:00 PM Ann Example <ann@example.org>\nwrote:",
    "en-wrapped-date": "On Monday,\n5 January 2026 at 12:00, Ann Example <ann@example.org> wrote:",
    "en-three-lines": "On Mon, 5 Jan 2026 12:00:00 +0000\nAnn Example with her long title\n<ann@example.org> wrote:",
    "en-apple": "On 5 Jan 2026, at 12:00, Ann Example <ann@example.org> wrote:",
    "en-thunderbird": "On 1/5/26 12:00 PM, Ann Example wrote:",
    "en-mutt": "On Mon, Jan 05, 2026 at 12:00:00PM +0100, Ann Example wrote:",
    "en-name-only": "Ann Example wrote:",
    "en-proton": "On Monday, January 5th, 2026 at 12:00 PM, Ann <ann@example.org> wrote:",
    "en-iso": "* Ann Example <ann@example.org> [2026-01-05 12:00]:",
    "de-gmail": "Am Mo., 5. Jan. 2026 um 12:00 Uhr schrieb Ann Example <ann@example.org>:",
    "de-thunderbird": "Am 05.01.26 um 12:00 schrieb Ann Example:",
    "de-apple": "Am 05.01.2026 um 12:00 schrieb Ann Example <ann@example.org>:",
    "fr-gmail": "Le lun. 5 janv. 2026 à 12:00, Ann Example <ann@example.org> a écrit :",
    "fr-nbsp": "Le 05/01/2026 à 12:00, Ann Example a écrit\u00a0:",
    "es": "El lun, 5 ene 2026 a las 12:00, Ann Example (<ann@example.org>) escribió:",
    "pt": "Em seg., 5 de jan. de 2026 às 12:00, Ann Example <ann@example.org> escreveu:",
    "it": "Il giorno lun 5 gen 2026 alle ore 12:00 Ann Example <ann@example.org> ha scritto:",
    "nl": "Op ma 5 jan 2026 om 12:00 schreef Ann Example <ann@example.org>:",
    "sv": "Den mån 5 jan. 2026 kl 12:00 skrev Ann Example <ann@example.org>:",
    "no": "man. 5. jan. 2026 kl. 12:00 skrev Ann Example <ann@example.org>:",
    "da": "Den man. 5. jan. 2026 kl. 12.00 skrev Ann Example <ann@example.org>:",
    "fi": "ma 5. tammik. 2026 klo 12.00 Ann Example (ann@example.org) kirjoitti:",
    "pl": "pon., 5 sty 2026 o 12:00 Ann Example <ann@example.org> napisał(a):",
    "pl-thunderbird": "W dniu 05.01.2026 o 12:00, Ann Example pisze:",
    "cs": "po 5. 1. 2026 v 12:00 odesílatel Ann Example <ann@example.org> napsal:",
    "sk": "po 5. 1. 2026 o 12:00 Ann Example <ann@example.org> napísal(a):",
    "hu": "Ann Example <ann@example.org> ezt írta (időpont: 2026. jan. 5., H, 12:00):",
    "ro": "În lun., 5 ian. 2026 la 12:00, Ann Example <ann@example.org> a scris:",
    "bg": "На пн, 5.01.2026 г. в 12:00 Ann Example <ann@example.org> написа:",
    "ru-gmail": "пн, 5 янв. 2026 г. в 12:00, Ann Example <ann@example.org>:",
    "ru-thunderbird": "05.01.2026 12:00, Ann Example пишет:",
    "uk": "пн, 5 січ. 2026 р. о 12:00 Ann Example <ann@example.org> пише:",
    "el": "Στις Δευ 5 Ιαν 2026 στις 12:00 μ.μ., ο χρήστης Ann Example <ann@example.org> έγραψε:",
    "tr": "Ann Example <ann@example.org>, 5 Oca 2026 Pzt, 12:00 tarihinde şunu yazdı:",
    "zh-cn": "Ann Example <ann@example.org> 于2026年1月5日周一 12:00写道：",
    "zh-tw": "Ann Example <ann@example.org> 於 2026年1月5日 週一 下午12:00寫道：",
    "ja-gmail": "2026年1月5日(月) 12:00 Ann Example <ann@example.org>:",
    "ja-apple": "2026/01/05 12:00、Ann Example <ann@example.org>のメール:",
    "ko": "2026년 1월 5일 (월) 오후 12:00, Ann Example <ann@example.org>님이 작성:",
    "vi": "Vào Th 2, 5 thg 1, 2026 vào lúc 12:00 Ann Example <ann@example.org> đã viết:",
    "th": "เมื่อ จ. 5 ม.ค. 2026 เวลา 12:00 Ann Example <ann@example.org> เขียนว่า:",
    "id": "Pada tanggal Sen, 5 Jan 2026 pukul 12.00 Ann Example <ann@example.org> menulis:",
    "he": (
        "\u202bבתאריך יום ב׳, 5 בינו׳ 2026 ב-12:00"
        " מאת \u202aAnn Example\u202c\u200f <\u202aann@example.org\u202c\u200f>:\u202c"
    ),
    "ar": "في الاثنين، 5 يناير 2026 في 12:00 م تمت كتابة ما يلي بواسطة Ann Example <ann@example.org>:",
    "fa": "در تاریخ دوشنبه ۵ ژانویهٔ ۲۰۲۶،‏ ۱۲:۰۰ Ann Example <ann@example.org> نوشت:",
    "et": "Kontakt Ann Example (<ann@example.org>) kirjutas kuupäeval E, 5. jaanuar 2026 kell 12:00:",
    "lv": "pirmd., 2026. g. 5. janv., plkst. 12:00 — lietotājs Ann Example (<ann@example.org>) rakstīja:",
    "lt": "2026-01-05, pr, 12:00 Ann Example <ann@example.org> rašė:",
    "hr": "pon, 5. sij 2026. u 12:00 Ann Example <ann@example.org> napisao je:",
    "sr": "пон, 5. јан 2026. у 12:00 Ann Example <ann@example.org> је написао/ла:",
    "sl": "V V pon., 5. jan. 2026 ob 12:00 je oseba Ann Example <ann@example.org> napisala:",
    "ca": "Missatge de Ann Example <ann@example.org> del dia dl., 5 de gen. 2026 a les 12:00:",
    "is": "Þann mán., 5. jan. 2026 kl. 12:00 skrifaði Ann Example <ann@example.org>:",
    "hi": "सोम, 5 जन॰ 2026 को 12:00 बजे Ann Example <ann@example.org> ने लिखा:",
}


@pytest.mark.parametrize("introduction", INTRODUCTIONS.values(), ids=INTRODUCTIONS)
def test_quote_goes_with_what_introduces_it(introduction: str) -> None:
    assert visible(f"It came today.\n\nThanks!\n\n{introduction}\n\n{QUOTE}\n") == "It came today.\n\nThanks!"


@pytest.mark.parametrize("introduction", INTRODUCTIONS.values(), ids=INTRODUCTIONS)
def test_quote_goes_without_an_empty_line_above_it(introduction: str) -> None:
    assert visible(f"It came today.\n{introduction}\n{QUOTE}") == "It came today."


@pytest.mark.parametrize("introduction", INTRODUCTIONS.values(), ids=INTRODUCTIONS)
def test_answer_below_the_quote_stays_alone(introduction: str) -> None:
    assert visible(f"{introduction}\n{QUOTE}\n\nIt came today.\n") == "It came today."


#: What Outlook and its like put above what they quote; nothing is marked below.
BLOCKS = {
    "en": (
        "From: Ann <ann@example.org>\nSent: Monday, 5 January 2026 12:00\nTo: Help <help@example.org>\nSubject: Parcel"
    ),
    "en-mac": "From: Ann <ann@example.org>\nDate: Monday, 5 January 2026 at 12:00\nTo: Help\nSubject: Parcel",
    "en-bold": "*From:* Ann <ann@example.org>\n*Sent:* Monday\n*To:* Help\n*Cc:* Bob\n*Subject:* Parcel",
    "de": "Von: Ann <ann@example.org>\nGesendet: Montag, 5. Januar 2026 12:00\nAn: Hilfe\nBetreff: Paket",
    "fr": "De : Ann <ann@example.org>\nEnvoyé : lundi 5 janvier 2026 12:00\nÀ : Aide\nObjet : Colis",
    "es": "De: Ann <ann@example.org>\nEnviado el: lunes, 5 de enero de 2026 12:00\nPara: Ayuda\nAsunto: Paquete",
    "pt": (
        "De: Ann <ann@example.org>\nEnviada em: segunda-feira, 5 de janeiro de 2026 12:00\nPara: Ajuda\nAssunto: Pacote"
    ),
    "it": "Da: Ann <ann@example.org>\nInviato: lunedì 5 gennaio 2026 12:00\nA: Aiuto\nOggetto: Pacco",
    "nl": "Van: Ann <ann@example.org>\nVerzonden: maandag 5 januari 2026 12:00\nAan: Hulp\nOnderwerp: Pakje",
    "sv": "Från: Ann <ann@example.org>\nSkickat: den 5 januari 2026 12:00\nTill: Hjälp\nÄmne: Paket",
    "da-no": "Fra: Ann <ann@example.org>\nSendt: 5. januar 2026 12:00\nTil: Hjelp\nEmne: Pakke",
    "fi": (
        "Lähettäjä: Ann <ann@example.org>\nLähetetty: maanantai 5. tammikuuta 2026 12.00\nVastaanottaja: Apu\n"
        "Aihe: Paketti"
    ),
    "pl": "Od: Ann <ann@example.org>\nWysłano: poniedziałek, 5 stycznia 2026 12:00\nDo: Pomoc\nTemat: Paczka",
    "cs": "Od: Ann <ann@example.org>\nOdesláno: pondělí 5. ledna 2026 12:00\nKomu: Pomoc\nPředmět: Balík",
    "sk": "Od: Ann <ann@example.org>\nOdoslané: pondelok 5. januára 2026 12:00\nKomu: Pomoc\nPredmet: Balík",
    "hu": "Feladó: Ann <ann@example.org>\nElküldve: 2026. január 5., hétfő 12:00\nCímzett: Segítség\nTárgy: Csomag",
    "ro": "De la: Ann <ann@example.org>\nTrimis: luni, 5 ianuarie 2026 12:00\nCătre: Ajutor\nSubiect: Colet",
    "ru": "От: Ann <ann@example.org>\nОтправлено: понедельник, 5 января 2026 г. 12:00\nКому: Помощь\nТема: Посылка",
    "uk": "Від: Ann <ann@example.org>\nНадіслано: понеділок, 5 січня 2026 р. 12:00\nКому: Допомога\nТема: Посилка",
    "bg": "От: Ann <ann@example.org>\nИзпратено: понеделник, 5 януари 2026 г. 12:00\nДо: Помощ\nОтносно: Колет",
    "el": "Από: Ann <ann@example.org>\nΣτάλθηκε: Δευτέρα, 5 Ιανουαρίου 2026 12:00\nΠρος: Βοήθεια\nΘέμα: Δέμα",
    "tr": "Kimden: Ann <ann@example.org>\nGönderildi: 5 Ocak 2026 Pazartesi 12:00\nKime: Yardım\nKonu: Paket",
    "zh-cn": "发件人: Ann <ann@example.org>\n发送时间: 2026年1月5日 12:00\n收件人: 帮助\n主题: 包裹",
    "zh-wide": "发件人：Ann <ann@example.org>\n发送日期：2026年1月5日 12:00\n收件人：帮助\n主题：包裹",
    "zh-tw": "寄件者: Ann <ann@example.org>\n寄件日期: 2026年1月5日 12:00\n收件者: 幫助\n主旨: 包裹",
    "ja": "差出人: Ann <ann@example.org>\n送信日時: 2026年1月5日 12:00\n宛先: ヘルプ\n件名: 小包",
    "ko": "보낸 사람: Ann <ann@example.org>\n보낸 날짜: 2026년 1월 5일 월요일 12:00\n받는 사람: 도움\n제목: 소포",
    "he": "מאת: Ann <ann@example.org>\nנשלח: יום שני 05 ינואר 2026 12:00\nאל: עזרה\nנושא: חבילה",
    "ar": "من: Ann <ann@example.org>\nتم الإرسال: الاثنين، 5 يناير 2026 12:00\nإلى: مساعدة\nالموضوع: طرد",
    "et": "Saatja: Ann <ann@example.org>\nSaadetud: esmaspäev, 5. jaanuar 2026 12:00\nAdressaat: Abi\nTeema: Pakk",
    "lt": "Nuo: Ann <ann@example.org>\nIšsiųsta: 2026 m. sausio 5 d. 12:00\nKam: Pagalba\nTema: Siunta",
    "lv": (
        "No: Ann <ann@example.org>\nNosūtīts: pirmdiena, 2026. gada 5. janvāris 12:00\nKam: Palīdzība\nTemats: Paka"
    ),
    "hr": "Šalje: Ann <ann@example.org>\nPoslano: 5. siječnja 2026. 12:00\nPrima: Pomoć\nPredmet: Paket",
    "sl": "Od: Ann <ann@example.org>\nPoslano: ponedeljek, 05. januar 2026 12:00\nZa: Pomoč\nZadeva: Paket",
    "vi": "Từ: Ann <ann@example.org>\nĐã gửi: Thứ Hai, 5 tháng 1, 2026 12:00\nTới: Trợ giúp\nChủ đề: Bưu kiện",
    "th": "จาก: Ann <ann@example.org>\nส่ง: 5 มกราคม 2569 12:00\nถึง: ช่วยเหลือ\nเรื่อง: พัสดุ",
}


@pytest.mark.parametrize("block", BLOCKS.values(), ids=BLOCKS)
@pytest.mark.parametrize("rule", ["", "________________________________\n", "-----------------------------\n\n"])
def test_block_of_headers_ends_what_is_new(block: str, rule: str) -> None:
    """Outlook marks nothing: all that is below its block is the earlier mail."""
    assert visible(f"It came today.\n\nBob\n\n{rule}{block}\n\nWhere is it?\n\nAnn\n") == "It came today.\n\nBob"


@pytest.mark.parametrize(
    "line",
    [
        "-----Original Message-----",
        "----- Original Message -----",
        "-------- Original message --------",
        "-----Ursprüngliche Nachricht-----",
        "-------- Original-Nachricht --------",
        "-----Message d'origine-----",
        "-------- Message original --------",
        "-----Mensaje original-----",
        "-----Mensagem original-----",
        "-----Messaggio originale-----",
        "-----Oorspronkelijk bericht-----",
        "-----Ursprungligt meddelande-----",
        "-----Opprinnelig melding-----",
        "-----Oprindelig meddelelse-----",
        "-----Alkuperäinen viesti-----",
        "-----Wiadomość oryginalna-----",
        "-----Původní zpráva-----",
        "-----Pôvodná správa-----",
        "-----Eredeti üzenet-----",
        "-----Mesaj original-----",
        "-----Исходное сообщение-----",
        "-----Αρχικό μήνυμα-----",
        "-----Orijinal İleti-----".replace("İ", "i"),
        "-----邮件原件-----",
        "-----元のメッセージ-----",
        "-----원본 메시지-----",
        "—————Original Message—————",
    ],
)
def test_line_of_dashes_with_the_words_ends_what_is_new(line: str) -> None:
    assert visible(f"It came today.\n\n{line}\nFrom: Ann\nWhere is it?\n") == "It came today."


@pytest.mark.parametrize(
    "quoted",
    [
        "    On Monday, 5 January 2026 at 12:00:00 GMT+1, Ann Example <ann@example.org> wrote:\n\n Where is it?\n Ann",
        "Am Montag, 5. Januar 2026 um 12:00:00 MEZ hat Ann <ann@example.org> Folgendes geschrieben:\n\n Wo ist es?",
        "Le lundi 5 janvier 2026 à 12:00:00 UTC+1, Ann <ann@example.org> a écrit :\n\nOù est-il ?",
    ],
)
def test_unmarked_quote_goes_where_its_introduction_says_who_and_when(quoted: str) -> None:
    """As some web mail writes it: the quote is only moved to the right, or not even that."""
    assert visible(f"It came today.\n\n{quoted}\n") == "It came today."


@pytest.mark.parametrize(
    "line",
    [
        "Sent from my iPhone",
        "Sent from my Galaxy",
        "Sent from Outlook for Android<https://aka.example/AAb9ysg>",
        "Get Outlook for iOS<https://aka.example/o0ukef>",
        "Sent from Yahoo Mail for iPhone",
        "Sent from Mail for Windows",
        "Sent from Proton Mail mobile",
        "Sent via BlackBerry",
        "Sent from my mobile phone. Please excuse typos",
        "Von meinem iPhone gesendet",
        "Gesendet mit der GMX Mail App",
        "Von meinem Samsung Galaxy Smartphone gesendet.",
        "Envoyé de mon iPhone",
        "Envoyé depuis mon appareil Galaxy",
        "Enviado desde mi iPhone",
        "Enviado do meu iPhone",
        "Inviato da iPhone",
        "Verstuurd vanaf mijn iPhone",
        "Verzonden vanaf Outlook voor Android",
        "Skickat från min iPhone",
        "Sendt fra min iPhone",
        "Lähetetty iPhonesta",
        "Wysłane z iPhone'a",
        "Odesláno z iPhonu",
        "Odoslané z iPhonu",
        "Az iPhone-omról küldve",
        "Trimis de pe iPhone-ul meu",
        "Отправлено с iPhone",
        "Надіслано з iPhone",
        "Изпратено от моя iPhone",
        "Στάλθηκε από το iPhone μου",
        "iPhone'umdan gönderildi",
        "发自我的iPhone",
        "從我的iPhone傳送",
        "iPhoneから送信",
        "나의 iPhone에서 보냄",
        "Đã gửi từ iPhone của tôi",
        "ส่งจาก iPhone ของฉัน",
        "Dikirim dari iPhone saya",
        "נשלח מה-iPhone שלי",
        "أُرسلت من الـ iPhone",
        "Poslano s mog iPhonea",
        "Enviat des del meu iPhone",
    ],
)
@pytest.mark.parametrize("below", ["", "\n\nOn 5 Jan 2026, at 12:00, Ann <ann@example.org> wrote:\n\n> Where is it?"])
def test_what_a_phone_adds_goes(line: str, below: str) -> None:
    assert visible(f"It came today.\n\n{line}{below}\n") == "It came today."


@pytest.mark.parametrize(
    "text",
    [
        "It came today.\n-- \nBob Example\nExample Ltd., Example Street 1",
        "It came today.\n-- \nBob\n-- \nYou get this since you are in the group.",
        "It came today.\n\n--\u00a0\nBob Example",
        "It came today.\n--\nBob Example\n+44 1632 960000",
        "It came today.\n—\nBob",
        "It came today.\n-- \nBob\n\nOn 5 Jan 2026, at 12:00, Ann <ann@example.org> wrote:\n> Where is it?\n",
        "It came today.\n\nOn 5 Jan 2026, at 12:00, Ann <ann@example.org> wrote:\n> Where is it?\n\n-- \nBob\n",
        "It came today.\n--\nBob\n\nAnn wrote:\n> Where?\n\n-- \nBob\n",
        "It came today.\n-- \nBob\n\n-----Original Message-----\nFrom: Ann\n",
        "It came today.\n\n-- \nBob\n\nSent from my iPhone",
        "\n\nIt came today.   \n\n-- \nBob",
    ],
)
def test_signature_goes(text: str) -> None:
    assert visible(text) == "It came today."


def test_answers_between_quotes_stay_with_the_quotes() -> None:
    text = (
        "Hello,\n\nOn 5 Jan 2026, Ann <ann@example.org> wrote:\n> Is it blue?\n\nYes.\n\n"
        "> And large?\n\nNo.\n\nBob\n\n> Thanks,\n> Ann\n"
    )

    assert visible(text) == text[: text.index("\n\n> Thanks")]


def test_signature_stays_where_answers_stand_below_it() -> None:
    """Some programs put it above the quote, and people answer inside of that."""
    assert visible("See below.\n-- \nBob\n\nAnn wrote:\n> Is it blue?\nYes.\n") is None


@pytest.mark.parametrize(
    "text",
    [
        "It came today.",
        "It came today.\n\nBest regards,\nBob",
        "",
        "\n\n",
        "> only\n> a quote",
        "On 5 Jan 2026, Ann <ann@example.org> wrote:\n> Where is it?",
        "-- \nBob",
        "Sent from my iPhone",
        "-----Original Message-----\nFrom: Ann\n",
        "From: Ann\nSent: Monday\nSubject: Parcel\n\nWhere is it?",
    ],
)
def test_it_is_all_visible_where_nothing_or_everything_would_go(text: str) -> None:
    """A reply is never emptied: there is no telling an empty one from one that was not understood."""
    assert visible(text) is None


@pytest.mark.parametrize(
    "forwarded",
    [
        "---------- Forwarded message ---------\nFrom: Ann <ann@example.org>\nDate: Mon, Jan 5, 2026\nSubject: Parcel\n"
        "\nWhere is it?\n-- \nAnn",
        "Begin forwarded message:\n\n> From: Ann <ann@example.org>\n> Subject: Parcel\n>\n> Where is it?",
        "-------- Weitergeleitete Nachricht --------\nBetreff: Paket\nDatum: 5. Jan\nVon: Ann\n\nWo?",
        "Anfang der weitergeleiteten Nachricht:\n\n> Von: Ann\n> Wo?",
        "---------- Message transféré ---------\nDe : Ann\nDate: lun.\nSubject: Colis\n\nOù ?",
        "---------- Forwarded message ---------\n\nOn 5 Jan 2026, Ann <ann@example.org> wrote:\n> Where is it?",
        "-----转发的邮件-----\n发件人: Ann\n",
        "-------- Пересылаемое сообщение --------\n> От: Ann\n",
    ],
)
@pytest.mark.parametrize("own", ["", "Please see to this.\n\n"])
def test_what_is_forwarded_stays(forwarded: str, own: str) -> None:
    assert visible(own + forwarded) is None


@pytest.mark.parametrize(
    "text",
    [
        "I need a ticket.\nFrom: Berlin\nTo: Paris\nDate: 5 May 2026\nThanks!",
        "She wrote on 5 Jan 2026 at 12:00:\nNothing came.\nBut it had.",
        "On Monday your colleague wrote to me at 12:00:\nWe will refund you.\nNothing came.",
        "I wrote to ann@example.org:\nNothing came.",
        "I called ann@example.org on 5 Jan 2026 at 12:00:\nNothing came.",
        "Ann wrote:\nCall me.",
        "Three parts:\n\n--\n\nfirst\n\n--\n\nsecond",
        "Sent from the warehouse on Monday, arrived broken.",
        "Hello\n>From here on it is mine.",
        "Two columns\n--------\nmore below",
        "SELECT 1;\n--\n" + "\n".join(f"line {n}" for n in range(30)),
        "one\n-- \n" + "\n".join(f"line {n}" for n in range(60)),
        "Was it -----Original Message----- that you saw?",
        "Note: the shop\nOrder: 17\nDate: today",
        "The original message was lost.\n\nCan you send it again?",
        "Prices:\nfrom: 5 EUR\nsubject: to change",
    ],
)
def test_in_doubt_it_is_visible(text: str) -> None:
    assert visible(text) is None
    assert visible(f"Hello.\n\n{text}") is None


@pytest.mark.parametrize(
    "line",
    [
        "This is what they told me:",
        "Your colleague, whose name I have forgotten by now, wrote to me:",
        "Ann wrote",
        "See 5 Jan 2026:",
    ],
)
def test_line_above_a_quote_that_is_no_introduction_stays(line: str) -> None:
    assert visible(f"Hello.\n\n{line}\n> We refund it.") == f"Hello.\n\n{line}"


def test_list_footer_below_a_quote_keeps_the_quote() -> None:
    """What stands below a quote may be an answer: what it is we do not know, so it stays with its quote."""
    text = "Yes.\n\nAnn wrote:\n> Is it?\n_______________\nannounce mailing list"

    assert visible(text) is None


@pytest.mark.parametrize(
    "html",
    [
        '<div dir="ltr">It came today.<br><br>Bob</div><br><div class="gmail_quote"><div>On Mon, Jan 5, 2026 at 12:00 '
        'Ann &lt;<a href="mailto:ann@example.org">ann@example.org</a>&gt; wrote:<br></div>'
        "<blockquote>Where is it?</blockquote></div>",
        "<p>It came today.</p><p>&nbsp;</p><p>Bob</p><p>&nbsp;</p><div><p><b>From:</b> Ann &lt;ann@example.org&gt;<br>"
        "<b>Sent:</b> Monday<br><b>To:</b> Help<br><b>Subject:</b> Parcel</p></div><p>Where is it?</p>",
        '<div>It came today.</div><div>Bob</div><div>Get <a href="https://aka.example/x">Outlook for iOS</a></div><hr>'
        "<div><b>Von:</b> Ann &lt;ann@example.org&gt;<br><b>Gesendet:</b> Montag<br><b>Betreff:</b> Paket</div>"
        "<div>Wo?</div>",
        '<div>It came today.</div><div>Bob</div><div>Von meinem iPhone gesendet</div><blockquote type="cite">'
        "Am 05.01.2026 um 12:00 schrieb Ann &lt;ann@example.org&gt;:<br><br></blockquote>"
        '<blockquote type="cite">\ufeffWo?</blockquote>',
        '<p>It came today.<br>Bob</p><div class="moz-cite-prefix">On 1/5/26 12:00, Ann wrote:<br></div>'
        '<blockquote type="cite"><p>Where?</p></blockquote><pre class="moz-signature">-- \nBob Example</pre>',
        "<div>It came today.</div><div>Bob</div><div><div>On Monday, January 5, 2026 at 12:00:00 PM GMT+1, "
        "Ann &lt;ann@example.org&gt; wrote: </div><div><br></div><div>Where is it?</div></div>",
    ],
    ids=["gmail", "outlook", "outlook-mobile", "iphone", "thunderbird", "yahoo"],
)
def test_text_that_was_made_from_html_is_read_as_well(html: str) -> None:
    own = visible(to_text(html))

    assert own is not None
    assert own.split() == ["It", "came", "today.", "Bob"]


def test_characters_that_only_direct_the_text_hide_nothing() -> None:
    assert visible("\u200eIt came.\n\ufeff\n\u202aAnn wrote:\u202c\n\ufeff\n\u200e> Is it?\n\ufeff") == "\u200eIt came."


@pytest.mark.parametrize("mark", ["> ", ">", "  > ", "＞ ", ">> "])
def test_quotes_are_marked_in_several_ways(mark: str) -> None:
    assert visible(f"Yes.\n\nAnn wrote:\n{mark}Is it?\n{mark}\n\n{mark}Ann") == "Yes."


@given(st.text(alphabet="a1@:><-_ \n\u00a0\u200f", max_size=400) | st.text(max_size=200))
def test_it_is_a_piece_of_the_text_and_never_empty(text: str) -> None:
    own = visible(text)

    assert own is None or (own.strip() and own in text)


@given(
    st.lists(st.sampled_from(["own words", *INTRODUCTIONS.values(), *BLOCKS.values(), "> q", "-- ", "--", "", "x:"])),
)
def test_own_words_stay_above_all_that_goes(pieces: list[str]) -> None:
    """Whatever stands below: what comes first, and is no quote, is never lost."""
    own = visible("\n".join(["My own words.", "", *pieces]))

    assert own is None or own.startswith("My own words.")


HOSTILE: dict[str, Callable[[int], str]] = {
    "colons": lambda size: ":\n" * (size // 2),
    "introductions": lambda size: "a\nOn 5 Jan 2026 12:00 Ann <ann@example.org> wrote:\n> q\n" * (size // 60),
    "labels": lambda size: "From: a\n" * (size // 8),
    "dashes": lambda size: ("-" * 390 + "x\n") * (size // 392),
    "one line": lambda size: "-" * size,
    "spaces": lambda size: " " * (size - 1) + "x",
    "empty lines": lambda size: "x" + "\n" * (size - 2) + ">",
    "signatures": lambda size: "x\n-- \n> q\n" * (size // 10),
    "marks": lambda size: "-- \n" * (size // 4),
    "quotes": lambda size: "> " * (size // 2),
    "devices": lambda size: "Sent from my iPhone\n" * (size // 20),
    "wrapped": lambda size: "1@a\n" * (size // 4) + ":",
    "links": lambda size: "https://" * (size // 8),
    "label of spaces": lambda size: "a" + " " * (size - 2) + ":",
}


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
def test_time_is_linear(hostile: Callable[[int], str]) -> None:
    """Eight times the text takes about eight times as long, and not 64 times."""

    def seconds(text: str) -> float:
        best = float("inf")
        for _ in range(3):
            begin = time.process_time()
            visible(text)
            best = min(best, time.process_time() - begin)
        return best

    small, large = seconds(hostile(40_000)), seconds(hostile(320_000))

    assert large < 24 * max(small, 0.0005)
    assert large < 2


def test_text_longer_than_any_letter_is_not_looked_into() -> None:
    assert visible("Yes.\n\nAnn wrote:\n" + "> q\n" * 300_000) is None
