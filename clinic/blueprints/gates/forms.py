"""Forms of the two gates. What is to be ticked is offered by the page's rows; here is what was sent."""

import re
from collections.abc import Collection, Mapping

from werkzeug.datastructures import MultiDict
from wtforms import (
    BooleanField,
    HiddenField,
    IntegerField,
    PasswordField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
)
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, InputRequired, Length, Optional

from clinic.blueprints.patients.forms import DayField
from clinic.chart.entry import Entry
from clinic.forms import TOO_OLD, Form, VersionForm, one_line, stripped
from clinic.models import Alert, Document, User
from clinic.operations.gates import IDENTIFIERS, Readiness, Teeth

REASON_LENGTH = 500
TOOTH = re.compile(r"tooth-([0-9]{1,18})")


class StartForm(Form):
    """What the student makes sure of. `offer` puts in what there is to choose from."""

    identity = SelectMultipleField("Identity matched by", choices=[SelectChoice(*pair) for pair in IDENTIFIERS.items()])
    alerts = SelectMultipleField("Alerts seen", coerce=int, validate_choice=False, choices=[])
    threads = SelectMultipleField("From the plan", coerce=int, validate_choice=False, choices=[])
    done = StringField(
        "What is done, when nothing is planned",
        [Length(max=REASON_LENGTH)],
        filters=[one_line],
        description="E.g. examination, impressions, adjustment",
    )
    site = BooleanField("I have looked at the tooth or site in the mouth: it is the one planned")
    radiographs = SelectMultipleField("Radiographs looked at", coerce=int, validate_choice=False, choices=[])
    no_radiograph = StringField(
        "Why none is needed",
        [Length(max=REASON_LENGTH)],
        filters=[one_line],
        description="When you chose no radiograph",
    )
    consents = SelectMultipleField("Consent that names the tooth", coerce=int, validate_choice=False, choices=[])
    words = StringField("Anything else for the supervisor", [Length(max=REASON_LENGTH)], filters=[one_line])

    @property
    def ready(self) -> Readiness:
        return Readiness(
            identity=self.identity.data or (),
            alerts=self.alerts.data or (),
            threads=self.threads.data or (),
            done=self.done.data or "",
            site=bool(self.site.data),
            radiographs=self.radiographs.data or (),
            no_radiograph=self.no_radiograph.data or "",
            consents=self.consents.data or (),
        )

    def offer(
        self,
        alerts: Collection[Alert],
        planned: Collection[tuple[Entry, str]],
        radiographs: Collection[Document],
        consents: Collection[Document],
    ) -> "StartForm":
        """Itself with what there is to choose from."""
        self.alerts.choices = [SelectChoice(alert.id, alert.label) for alert in alerts]
        self.threads.choices = [SelectChoice(entry.thread, said) for entry, said in planned]
        for offered, documents in ((self.radiographs, radiographs), (self.consents, consents)):
            offered.choices = [SelectChoice(document.id, document.name) for document in documents]
        return self


class DismissForm(Form):
    seen = HiddenField("Seen", [InputRequired(TOO_OLD), Length(min=64, max=64, message=TOO_OLD)])
    words = StringField(
        "Anything for the supervisor",
        [Length(max=REASON_LENGTH)],
        filters=[one_line],
        description="When nothing was recorded: what was done",
    )


class ReturnOneForm(VersionForm):
    reason = StringField(
        "Why",
        [DataRequired("Write why you return it; whoever prepared it reads that."), Length(max=REASON_LENGTH)],
        filters=[one_line],
    )


class TeethForm(VersionForm):
    """An approval of a start, with the teeth that the supervisor entered: fields `tooth-<item>`."""

    second = IntegerField("Second person", [Optional()])
    reason = StringField("Why it is right", [Length(max=REASON_LENGTH)], filters=[one_line])

    def entered(self, sent: Mapping[str, str] | MultiDict[str, str]) -> Teeth:
        found = {int(match[1]): sent[name][:40] for name in sent if (match := TOOTH.fullmatch(name))}
        return Teeth(found, self.second.data, self.reason.data or "")


class HereForm(TeethForm):
    """An approval in somebody else's session, by the supervisor's own PIN."""

    supervisor = SelectField("Supervisor", coerce=int, choices=[])
    pin = PasswordField("PIN", [InputRequired("Type your PIN."), Length(max=12)])

    def offer(self, supervisors: Collection[User]) -> "HereForm":
        self.supervisor.choices = [SelectChoice(person.id, person.name) for person in supervisors]
        return self


class ExtensionForm(Form):
    until = DayField("Until", [InputRequired("Say until which day.")], description="The last day, e.g. 3 Apr 2026")
    reason = TextAreaField(
        "Why",
        [DataRequired("Write why; it stays with the extension."), Length(max=REASON_LENGTH)],
        filters=[stripped],
        render_kw={"rows": 2},
    )
