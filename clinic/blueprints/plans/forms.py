"""Forms of plans of treatment."""

from typing import Self

from wtforms import BooleanField, HiddenField, IntegerField, RadioField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, NumberRange, Optional, ValidationError

from clinic import money
from clinic.blueprints.problems.forms import Ticks
from clinic.chart.line import LONGEST
from clinic.forms import TOO_OLD, Form, VersionForm, one_line, stripped
from clinic.operations.plans import MOST_MINUTES, MOST_SIGNATURE, MOST_VISITS, ItemSaid, OptionSaid
from clinic.plans.order import PHASES

WORDS = {"rows": 3, "maxlength": 1000}


class PlanForm(Form):
    """A plan more."""

    name = StringField(
        "Name of the plan",
        [InputRequired("Give the plan a name."), Length(max=120)],
        filters=[one_line],
        description="For example: Restoring the lower left",
        render_kw={"maxlength": 120, "autocomplete": "off"},
    )


class OptionForm(Form):
    """An option of a plan."""

    name = StringField(
        "Name of the option",
        [InputRequired("Give the option a name."), Length(max=120)],
        filters=[one_line],
        description="As the patient reads it: Root canal and crown; Extraction and bridge; Leave it as it is",
        render_kw={"maxlength": 120, "autocomplete": "off"},
    )
    advantages = TextAreaField("Advantages", [Length(max=1000)], filters=[stripped], render_kw=WORDS)
    risks = TextAreaField("Risks", [Length(max=1000)], filters=[stripped], render_kw=WORDS)

    @property
    def said(self) -> OptionSaid:
        return OptionSaid(self.name.data or "", self.advantages.data or "", self.risks.data or "")


class ChangedOptionForm(VersionForm, OptionForm):
    """An option, said anew."""


class ItemForm(Form):
    """An item of an option."""

    line = StringField(
        "What is done",
        [InputRequired("Write what is to be done, as on the chart."), Length(max=LONGEST)],
        filters=[one_line],
        description="As on the chart: 36 mo composite; 46 rct; 14a 15p 16a br pfm",
        render_kw={"maxlength": LONGEST, "autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"},
    )
    price = StringField(
        "Price of each", [InputRequired("Type the price; 0 when it costs nothing.")], filters=[one_line], default="0",
        render_kw={"inputmode": "decimal", "maxlength": 20, "autocomplete": "off"},
    )  # fmt: skip
    minutes = IntegerField(
        "Minutes", [InputRequired(), NumberRange(0, MOST_MINUTES)], default=30, description="All its visits together"
    )
    visits = IntegerField(
        "Visits", [InputRequired(), NumberRange(0, MOST_VISITS)], default=1,
        description="0: in the same visit as what comes before",
    )  # fmt: skip
    phase = SelectField(
        "Phase",
        choices=[SelectChoice(str(number), f"{number}, {name}") for number, name in PHASES.items()],
        default="3",
    )
    after_id = SelectField("Done after", default="", description="What must be done before this")
    problem_id = SelectField("For the problem", default="")

    def of(self, currency: str, items: list[SelectChoice], problems: list[SelectChoice]) -> Self:
        """Itself, with what there is to choose from."""
        self.currency = currency
        self.price.label.text = f"Price of each, in {currency}"
        self.after_id.choices = [SelectChoice("", "nothing in particular"), *items]
        self.problem_id.choices = [SelectChoice("", "none noted"), *problems]
        return self

    def validate_price(self, field: StringField) -> None:
        try:
            self.amount = money.read(field.data or "", self.currency)
        except ValueError as error:
            raise ValidationError(str(error)) from None

    @property
    def said(self) -> ItemSaid:
        """What the person wrote, once the form is valid."""
        return ItemSaid(
            line=self.line.data or "",
            price=self.amount,
            minutes=self.minutes.data or 0,
            visits=self.visits.data or 0,
            phase=int(self.phase.data),
            after_id=int(self.after_id.data) if self.after_id.data else None,
            problem_id=int(self.problem_id.data) if self.problem_id.data else None,
        )


class ChangedItemForm(VersionForm, ItemForm):
    """An item, said anew. Nothing typed leaves what is done."""

    line = StringField(
        "What is done instead",
        [Optional(), Length(max=LONGEST)],
        filters=[one_line],
        description="Leave empty to keep what is done; else as on the chart: 36 mo composite",
        render_kw={"maxlength": LONGEST, "autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"},
    )


class ApproveForm(VersionForm):
    """Which options are approved."""

    options = Ticks("Options that you approve", choices=())

    def of(self, options: list[SelectChoice]) -> Self:
        self.options.choices = options
        return self


class AcceptForm(Form):
    """The patient accepts an option."""

    seen = HiddenField("Seen", [InputRequired(TOO_OLD), Length(min=64, max=64, message=TOO_OLD)])
    option_id = RadioField("The patient accepts", [InputRequired("Choose the option that the patient accepts.")])
    signed_by = StringField(
        "Who signs", [InputRequired("Write who signs."), Length(max=120)], filters=[one_line],
        description="The patient, or who signs for them",
        render_kw={"maxlength": 120, "autocomplete": "off"},
    )  # fmt: skip
    signature = HiddenField(
        "Signature", [Length(max=MOST_SIGNATURE * 2, message="The signature is too large. Clear it and sign again.")]
    )
    on_paper = BooleanField("It was signed on paper, before me")

    def of(self, options: list[SelectChoice]) -> Self:
        self.option_id.choices = options
        return self
