"""The diagnoses that come with Chairside: codes of the ICD-10 (chapter XI, K00 to K14, and what a dentist meets beside), in short words
of our own. The clinic's own stand beside them (models/problem.py)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

ICD = "ICD-10"
OWN = "own"
CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9./-]{0,19}")


@dataclass(frozen=True)
class Diagnosis:
    """A code of a system, and what it is called."""

    code: str
    name: str
    system: str = ICD

    @property
    def words(self) -> str:
        """As one chooses it: `K04.0 Pulpitis`."""
        return f"{self.code} {self.name}"


SHIPPED = tuple(
    Diagnosis(*line.split(" ", 1))
    for line in """\
K00.0 Missing teeth from birth
K00.1 Supernumerary tooth
K00.2 Abnormal size or form of a tooth
K00.3 Mottled teeth
K00.4 Disturbed formation of a tooth
K00.6 Disturbed eruption
K01.0 Embedded tooth
K01.1 Impacted tooth
K02.0 Caries of enamel
K02.1 Caries of dentine
K02.2 Caries of cementum
K02.3 Arrested caries
K03.0 Attrition
K03.1 Abrasion
K03.2 Erosion
K03.3 Resorption of a tooth
K03.6 Deposits on teeth
K03.7 Discolouration after eruption
K03.8 Sensitive dentine
K04.0 Pulpitis
K04.1 Necrosis of the pulp
K04.4 Acute apical periodontitis
K04.5 Chronic apical periodontitis
K04.6 Apical abscess with sinus
K04.7 Apical abscess without sinus
K04.8 Radicular cyst
K05.0 Acute gingivitis
K05.1 Chronic gingivitis
K05.2 Acute periodontitis
K05.3 Chronic periodontitis
K06.0 Gingival recession
K06.1 Gingival enlargement
K07.2 Anomaly of the dental arches
K07.3 Anomaly of tooth position
K07.4 Malocclusion
K07.6 Disorder of the jaw joint
K08.1 Loss of teeth
K08.2 Atrophy of an edentulous ridge
K08.3 Retained root
K09.0 Odontogenic cyst
K10.2 Inflammation of the jaw
K10.3 Alveolitis
K11.2 Inflammation of a salivary gland
K11.7 Dry mouth
K12.0 Recurrent oral aphthae
K12.1 Stomatitis
K13.0 Disease of the lips
K13.2 Leukoplakia
K14.0 Glossitis
S02.5 Fracture of a tooth
S03.2 Luxation of a tooth
Z46.3 Fitting of a denture
Z46.4 Fitting of an orthodontic device""".splitlines()
)


def meant(typed: str, catalogue: Iterable[Diagnosis]) -> Diagnosis | None:
    """The diagnosis that was typed: as it is offered, by its code, or by its name alone; None for free words."""
    wanted = typed.casefold()
    return next(
        (each for each in catalogue if wanted in (each.words.casefold(), each.code.casefold(), each.name.casefold())),
        None,
    )
