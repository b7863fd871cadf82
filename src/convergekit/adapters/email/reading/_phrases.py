"""How mail programs introduce what they quote and what they forward, and how they sign: data.

What is listed is what the programs themselves write, in lower case; a line of a person that says the same is rare, and
`visible` asks for more than a phrase.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["DATE", "FORWARDED", "FROM", "OPENERS", "ORIGINAL", "PRODUCT", "SENT_FROM", "SUBJECT", "VERBS"]


def _all(*rows: str) -> frozenset[str]:
    return frozenset(phrase for row in rows for phrase in row.split("|"))


# The labels of the block that Outlook and its like put above a quoted mail, each row: who, when, about what.

FROM: Final = _all(
    "from|von|de|da|van|från|fra|frá|lähettäjä|od|feladó|de la|nork|gönderen|kimden|saatja|no|nuo|šalje|remitente",
    "mittente",
    "от|от кого|від|од|από|发件人|寄件者|寄件人|差出人|보낸 사람|보낸사람|발신|từ|จาก|dari|מאת|من|از|प्रेषक",
)
DATE: Final = _all(
    "sent|date|gesendet|datum|envoyé|envoyé le|enviado|enviado el|fecha|enviada em|enviado em|data|inviato",
    "inviato il",
    "verzonden|skickat|sendt|dato|lähetetty|päivämäärä|wysłano|wysłane|odesláno|odoslané|dátum|elküldve|küldés ideje",
    "trimis|trimis la|gönderildi|gönderme tarihi|tarih|saadetud|kuupäev|nosūtīts|datums|išsiųsta|poslano|poslato",
    "enviat",
    "bidalita|dagsetning|изпратено|дата|отправлено|надіслано|послато|датум|στάλθηκε|ημερομηνία|发送时间|发送日期",
    "日期|寄件日期|傳送時間|送信日時|日時|日付|보낸 날짜|날짜|보낸 시간|đã gửi|ngày|ส่ง|ส่งเมื่อ|วันที่|dikirim",
    "terkirim|tanggal",
    "נשלח|תאריך|تاريخ الإرسال|تم الإرسال|أرسلت|التاريخ|ارسال|تاریخ|भेजा गया|दिनांक",
)
SUBJECT: Final = _all(
    "subject|betreff|objet|asunto|assunto|oggetto|onderwerp|ämne|emne|aihe|temat|předmět|predmet|tárgy|subiect|konu",
    "teema|temats|tēma|tema|naslov|zadeva|assumpte|gaia|efni|относно|тема|наслов|предмет|θέμα|主题|主旨|件名|제목",
    "chủ đề|tiêu đề|เรื่อง|หัวเรื่อง|subjek|perihal|judul|נושא|הנדון|الموضوع|موضوع|विषय",
)

#: Between dashes: "-----Original Message-----".
ORIGINAL: Final = _all(
    "original message|original mail|original e-mail|original email|original appointment",
    "original-nachricht|originalnachricht|ursprüngliche nachricht|ursprüngliche mail|originalmail",
    "message d'origine|message original|message initial|message d’origine|mensaje original|mensagem original",
    "messaggio originale|oorspronkelijk bericht|oorspronkelijke bericht|origineel bericht|ursprungligt meddelande",
    "originalmeddelande|opprinnelig melding|oprindelig meddelelse|originale meddelelse|alkuperäinen viesti",
    "wiadomość oryginalna|oryginalna wiadomość|treść oryginalnej wiadomości|původní zpráva|původní e-mail",
    "pôvodná správa",
    "eredeti üzenet|mesaj original|mesajul original|orijinal ileti|orijinal mesaj|özgün ileti|algkiri|algne kiri",
    "oriģinālais ziņojums|sākotnējais ziņojums|originalus laiškas|pradinis laiškas|izvorna poruka|originalna poruka",
    "originalno sporočilo|izvirno sporočilo|missatge original|jatorrizko mezua|mensaxe orixinal|upprunaleg skilaboð",
    "исходное сообщение|оригинальное сообщение|пересылаемое исходное сообщение|вихідне повідомлення",
    "оригінальне повідомлення",
    "оригинално съобщение|изворна порука|оригинална порука|αρχικό μήνυμα|原始邮件|邮件原件|原邮件|原始郵件|原始訊息",
    "元のメッセージ",
    "원본 메시지|원본 메일|원본메시지|tin nhắn gốc|thư gốc|ข้อความต้นฉบับ|pesan asli|mesej asal",
    "הודעה מקורית|ההודעה המקורית|الرسالة الأصلية|رسالة أصلية|پیام اصلی|मूल संदेश",
)

#: Between dashes, or at the end of a line by itself.
FORWARDED: Final = _all(
    "forwarded message|forwarded mail|forwarded email|begin forwarded message|start of forwarded message",
    "weitergeleitete nachricht|anfang der weitergeleiteten nachricht|weitergeleitete e-mail",
    "message transféré|message transmis|début du message transféré|début du message réexpédié|message réexpédié",
    "mensaje reenviado|inicio del mensaje reenviado|mensagem encaminhada|mensagem reencaminhada",
    "início da mensagem encaminhada|início da mensagem reencaminhada|messaggio inoltrato|inizio messaggio inoltrato",
    "doorgestuurd bericht|begin doorgestuurd bericht|vidarebefordrat meddelande|vidarebefordrat mail",
    "vidarebefordrat brev|videresendt melding|videresendt meddelelse|start på videresendt melding",
    "start på videresendt besked|videresendt mail|välitetty viesti|edelleenlähetetty viesti|välitetty viesti alkaa",
    "wiadomość przekazana dalej|przekazana wiadomość|początek przekazywanej wiadomości|treść przekazanej wiadomości",
    "přeposlaná zpráva|předaná zpráva|začátek přeposílané zprávy|preposlaná správa|továbbított üzenet",
    "továbbított levél|továbbított üzenet kezdete|mesaj redirecționat|mesaj redirectat",
    "începutul mesajului redirecționat",
    "iletilen mesaj|iletilmiş ileti|yönlendirilmiş ileti|iletilen ileti başlangıcı|edastatud kiri|edastatud sõnum",
    "pārsūtītā ziņa|pārsūtīts ziņojums|persiųstas laiškas|proslijeđena poruka|prosleđena poruka",
    "posredovano sporočilo",
    "missatge reenviat|birbidalitako mezua|mensaxe reenviada|áframsend skilaboð|пересылаемое сообщение",
    "пересылаемое письмо|начало переадресованного сообщения|пересланное сообщение|переслане повідомлення",
    "перенаправлене повідомлення|препратено съобщение|прослеђена порука|προωθημένο μήνυμα|转发的邮件|转发邮件",
    "转发邮件信息",
    "轉寄郵件|轉寄的郵件|轉寄訊息|転送されたメッセージ|転送メッセージ|전달된 메일|전달된 메시지",
    "thư được chuyển tiếp|tin nhắn được chuyển tiếp",
    "ข้อความที่ส่งต่อ|จดหมายที่ส่งต่อ|pesan terusan|pesan yang diteruskan|mesej dimajukan|הודעה שהועברה",
    "תחילת ההודעה שהועברה",
    "رسالة معاد توجيهها|رسالة مُعاد توجيهها|الرسالة المعاد توجيهها|پیام هدایت‌شده|पहले भेजा गया संदेश|अग्रेषित संदेश",
)

#: What a line that introduces a quote says of whom it quotes, somewhere in it.
VERBS: Final = _all(
    "wrote|writes|schrieb|geschrieben|a écrit|écrivait|escribió|escribio|ha escrito|escreveu|ha scritto",
    "scrisse",
    "schreef|geschreven|skrev|skreiv|kirjoitti|napisał|pisze|napsal|napísal|píše|írta|a scris|yazdı|yazmış",
    "kirjutas|rakstīja|rašė|napisao|napisala|va escriure|ha escrit|idatzi|escribiu|skrifaði|geskryf|shkroi",
    "menulis|đã viết",
    "пишет|написал|писал|пише|написав|написа|напиша|написао|έγραψε|写道|寫道|书写|書きました|のメール",
    "님이 작성|작성|썼습니다|님의 말",
    "เขียนว่า|เขียน|ได้เขียน|כתב|كتب|كتابة|نوشت|लिखा",
)

#: With what such a line begins, in languages where that is a word.
OPENERS: Final = _all(
    "on|am|le|el|em|il|op|den|w|dňa|dnia|dne|în|pe|la|pada|vào|dana|på|missatge|kontakt",
    "στις|на|в|เมื่อ|ใน|בתאריך|في|در|在|于|於",
)

#: How a line begins, or ends, that a program of a phone adds to what was written on it.
SENT_FROM: Final = (
    tuple(
        _all(
            "sent from|sent via|sent using|sent with|get outlook for|von meinem|von meiner|gesendet von|gesendet mit",
            "gesendet über|diese nachricht wurde von|holen sie sich outlook|outlook für|envoyé de|envoyé depuis",
            "envoyé à partir|envoyé avec|envoyé via|télécharger outlook|obtenir outlook|obtenez outlook",
            "enviado desde",
            "enviado con|enviado do|enviado de|enviado da|enviado a partir|enviado pelo|enviado via|enviado dende",
            "obtener outlook|obter o outlook|obtenha o outlook|inviato da|inviato dal|inviato con|ottieni outlook",
            "scarica outlook|verstuurd vanaf|verstuurd met|verzonden vanaf|verzonden met|outlook voor",
            "download outlook",
            "skickat från|skickades från|hämta outlook|skaffa outlook|sendt fra|sendt via|skaff deg outlook",
            "få outlook",
            "hent outlook|lähetetty|hanki outlook|wysłane z|wysłano z|wysłane ze|pobierz outlook",
            "pobierz program outlook",
            "odesláno z|odesláno ze|získejte outlook|stáhnout outlook|odoslané z|získajte outlook|trimis de pe",
            "trimis din",
            "trimis cu|obțineți outlook|saadetud minu|saadetud|nosūtīts no|sūtīts no|išsiųsta iš|siųsta iš|poslano s",
            "poslano iz|poslano z|poslano sa|poslato sa|poslato iz|enviat des|enviat amb|sent úr|gestuur vanaf",
            "отправлено с|отправлено из|отправлено через|скачать outlook|получить outlook|надіслано з|надіслано із",
            "відправлено з|отримати outlook|изпратено от|изпратено с|послато са|στάλθηκε από|εστάλη από",
            "αποκτήστε το outlook",
            "发自我的|从我的|发送自|来自我的|發自我的|從我的|傳送自|送信元|获取 outlook|取得 outlook|나의|내",
            "đã gửi từ|được gửi từ|gửi từ",
            "ส่งจาก|dikirim dari|terkirim dari|dihantar dari|dapatkan outlook|נשלח מ|נשלח באמצעות|أُرسلت من|أرسلت من",
            "تم الإرسال من|مرسل من|احصل على outlook|ارسال شده از|ارسال‌شده از|ارسال از|मेरे",
        )
    ),
    tuple(
        _all(
            "küldve|gönderildi|gönderilmiştir|から送信|から送信しました|에서 보냄|에서 발송|发送|發送|傳送|bidalia",
            "से भेजा गया",
            "outlook を入手|edinin",
        )
    ),
)

#: What such a line names beside.
PRODUCT: Final = re.compile(
    r"\b(?:i ?phone|i ?pad|i ?pod|ios|android|galaxy|samsung|huawei|honor|xiaomi|redmi|oneplus|pixel|nokia|sony|xperia"
    r"|htc|motorola|blackberry|windows|outlook|yahoo|gmail|protonmail|proton|tutanota|tuta|gmx|web\.de|freenet|aol"
    r"|t-online|hotmail|thunderbird|fastmail|superhuman|zoho|foxmail|spark|macbook|imac|bluemail|aqua ?mail|fairemail"
    r"|k-9|mailbird|smartphone|cell ?phone|mobile|mobil|mobilgerät|mobiltelefon|handy|móvil|celular|mobiele|telefon"
    r"|telefono|téléphone|puhelimesta|mail (?:app|for|für|pour|para|per|voor|dla|pro|til|från|för)|mail\.ru|tablet"
    r"|phone)|iphon|ipad|android|outlook|手机|手機|スマートフォン|휴대폰|телефон|смартфон|яндекс|網易|网易|qq邮箱|แอนดรอยด์",
)
