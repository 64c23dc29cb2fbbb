"""Forms of the chart: a line of the grammar, and the acts on one entry."""

from collections.abc import Mapping
from typing import Any

from wtforms import DateField, HiddenField, SelectField, SelectMultipleField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, Length, Optional, ValidationError

from clinic.chart import line as grammar
from clinic.chart.entry import Entry
from clinic.chart.form import MOST_TEXT
from clinic.chart.kinds import DONE, Kind, Scope, Status
from clinic.chart.teeth import Dentition, Numbering, is_extra, surface_name, tooth
from clinic.forms import TOO_OLD, Form, SeenForm, one_line
from clinic.operations.chart import REASON_LENGTH


class ReasonForm(SeenForm):
    reason = StringField("Reason", [Length(max=REASON_LENGTH)], filters=[one_line])


class LineForm(ReasonForm):
    line = StringField(
        "Line",
        [DataRequired("Type what you see, for example 36 mo car."), Length(max=grammar.LONGEST)],
        filters=[one_line],
    )
    dentition = HiddenField("Dentition")

    def validate_dentition(self, field: HiddenField) -> None:
        if field.data and field.data not in set(Dentition):
            raise ValidationError(TOO_OLD)
        field.data = Dentition(field.data) if field.data else None


class ErrorForm(ReasonForm):
    reason = StringField(
        "Why it is wrong", [DataRequired("Say why it is wrong."), Length(max=REASON_LENGTH)], filters=[one_line]
    )


class StatusForm(ReasonForm):
    status = SelectField(
        "Status", choices=[SelectChoice(status.value, status.words) for status in (Status.FINDING, *DONE)]
    )


class CorrectionForm(ReasonForm):
    """What an entry says, to be said right. Its further fields are those of the entry's kind: see `correction_of`."""

    reason = StringField(
        "Why it changes", [DataRequired("Say why it changes."), Length(max=REASON_LENGTH)], filters=[one_line]
    )
    surfaces = SelectMultipleField("Surfaces")
    dated = DateField("Since", [Optional()])

    def changes(self, entry: Entry) -> dict[str, Any]:
        """What is said otherwise than before, as `change_entry` takes it."""
        said: dict[str, Any] = {}
        if self.surfaces.choices and (surfaces := "".join(self.surfaces.data or [])) != entry.surfaces:
            said["surfaces"] = surfaces
        if self.dated.data and self.dated.data != entry.dated:
            said["dated"] = self.dated.data
        details = {field.short_name.removeprefix("detail_"): field.data for field in self.asked if field.data}
        if canals := details_of_canals(details):
            details = {name: value for name, value in details.items() if not name.startswith("canal_")} | canals
        if details != dict(entry.details):
            said["details"] = details
        return said

    @property
    def asked(self) -> list[Any]:
        """The fields of the kind."""
        return [field for field in self if field.short_name.startswith("detail_")]


def correction_of(entry: Entry, kind: Kind, formdata: Any = None, **shown: Any) -> CorrectionForm:
    """The form for an entry of a kind, filled in with what the entry says."""
    fields: dict[str, Any] = {}
    for each in kind.fields:
        if each.name == "canals":
            kept = dict(pair.split(":") for pair in entry.details.get("canals", "").split())
            for canal in tooth(entry.tooth).canals if not is_extra(entry.tooth) else ():
                name = f"detail_canal_{canal}"
                fields[name] = SelectField(f"Canal {canal}", choices=_choices(each.options, "not filled"))
                shown[name] = kept.get(canal, "")
            continue
        choices = _choices(each.options, "" if each.required else "not said")
        label, name = each.label, f"detail_{each.name}"
        fields[name] = (
            SelectField(label, choices=choices)
            if each.options
            else StringField(label, [Length(max=MOST_TEXT)], filters=[one_line])
        )
        shown[name] = entry.details.get(each.name, "")
    form = type("CorrectionForm", (CorrectionForm,), fields)(
        formdata, surfaces=list(entry.surfaces), dated=entry.dated, **shown
    )
    on = [letter for letter in kind.surfaces if kind.scope is Scope.SURFACES]
    form.surfaces.choices = [SelectChoice(letter, surface_name(entry.tooth, letter)) for letter in on]
    return form


def _choices(options: Mapping[str, str], none: str) -> list[SelectChoice]:
    """Of a field's options; `none`: the words for choosing none of them, where one may."""
    return [SelectChoice("", none)] * bool(none) + [SelectChoice(value, words) for value, words in options.items()]


def details_of_canals(details: dict[str, str]) -> dict[str, str]:
    """`canals` as an entry keeps them, from a field for each."""
    canals = [(name.removeprefix("canal_"), value) for name, value in details.items() if name.startswith("canal_")]
    return {"canals": " ".join(f"{canal}:{value}" for canal, value in canals)} if canals else {}


class ViewForm(Form):
    """How one is shown charts."""

    numbering = SelectField(
        "Numbering", choices=[SelectChoice(numbering.value, numbering.value) for numbering in Numbering]
    )
    legend = SelectField("Legend")
    patient_id = HiddenField("Patient")
