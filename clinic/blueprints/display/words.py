"""The few words of the public display, in the languages a clinic may choose (setting `display_languages`)."""

from dataclasses import dataclass

from clinic import settings


@dataclass(frozen=True)
class Words:
    language: str  # BCP 47
    now_calling: str
    ticket: str
    chair: str
    recent: str
    nobody: str
    stale: str
    direction: str = "ltr"


WORDS = {
    words.language: words
    for words in (
        Words(
            "en",
            "Now calling",
            "Ticket",
            "Chair",
            "Last calls",
            "Nobody has been called yet",
            "Not up to date. Please ask at the desk.",
        ),
        Words(
            "si", "දැන් කැඳවයි", "අංකය", "පුටුව", "අවසන් කැඳවීම්", "තවම කිසිවෙකු කැඳවා නැත", "තොරතුරු යාවත්කාලීන නැත. කවුන්ටරයෙන් විමසන්න."
        ),
        Words(
            "ta",
            "இப்போது அழைக்கப்படுவது",
            "எண்",
            "நாற்காலி",
            "கடைசி அழைப்புகள்",
            "இன்னும் யாரும் அழைக்கப்படவில்லை",
            "தகவல் புதுப்பிக்கப்படவில்லை. வரவேற்பில் கேளுங்கள்.",
        ),
        Words(
            "ar",
            "يُنادى الآن",
            "الرقم",
            "الكرسي",
            "آخر النداءات",
            "لم يُنادَ أحد بعد",
            "المعلومات غير محدّثة. يرجى سؤال الاستقبال.",
            "rtl",
        ),
        Words("zh", "正在叫号", "号码", "椅位", "最近叫号", "暂无叫号", "信息未更新，请询问前台。"),
        Words("th", "กำลังเรียก", "หมายเลข", "เก้าอี้", "การเรียกล่าสุด", "ยังไม่มีการเรียก", "ข้อมูลไม่เป็นปัจจุบัน โปรดสอบถามที่เคาน์เตอร์"),
        Words(
            "ms",
            "Sedang dipanggil",
            "Nombor",
            "Kerusi",
            "Panggilan terakhir",
            "Belum ada panggilan",
            "Maklumat tidak terkini. Sila tanya di kaunter.",
        ),
        Words(
            "es",
            "Llamando ahora",
            "Número",
            "Sillón",
            "Últimas llamadas",
            "Aún no se ha llamado a nadie",
            "Información no actualizada. Pregunte en recepción.",
        ),
    )
}


def chosen() -> list[Words]:
    """The clinic's languages that are known here, in its order; English when there is none."""
    return [WORDS[name] for name in settings.read("display_languages") if name in WORDS] or [WORDS["en"]]
