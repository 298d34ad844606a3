"""Names of the months in Russian, Kazakh and English, as they stand in lists of charges."""

from __future__ import annotations

_NAMES = """
    январь января янв қаңтар january jan
    февраль февраля фев февр ақпан february feb
    март марта мар наурыз march mar
    апрель апреля апр сәуір april apr
    май мая мамыр may
    июнь июня июн маусым june jun
    июль июля июл шілде july jul
    август августа авг тамыз august aug
    сентябрь сентября сен сент қыркүйек september sep sept
    октябрь октября окт қазан october oct
    ноябрь ноября ноя нояб қараша november nov
    декабрь декабря дек желтоқсан december dec
"""

#: Month 1 to 12 by its name or usual short form, in lower case.
MONTHS = {
    name: number for number, names in enumerate(_NAMES.strip().splitlines(), 1) for name in names.split()
}

#: Words beside a month and a year that add nothing: "за октябрь 2026 г.", "2026 жылғы қазан".
YEAR_WORDS = frozenset({"за", "г", "год", "года", "ж", "жыл", "жылы", "жылғы", "for", "of"})
