"""The templates of notes that come with Chairside: name, type, text. The clinic changes or retires them as it likes."""

SHIPPED = (
    (
        "Progress",
        "progress",
        """Charted today:
{chart}

Done:

Next step:
""",
    ),
    (
        "Restoration",
        "treatment",
        """Teeth: {teeth}
Anaesthesia (agent, amount):
Isolation (rubber dam, or why not):
Caries removed, depth:
Base or liner:
Material, shade, how it was placed:
Occlusion checked, finished and polished:

Charted:
{chart}
""",
    ),
    (
        "Extraction",
        "treatment",
        """Tooth, read aloud with the supervisor before the first instrument: {teeth}
Reason:
Consent signed:
Anaesthesia (agent, amount):
Course, roots complete:
Bleeding stopped, sutures:
Advice given, in writing too:

Charted:
{chart}
""",
    ),
    (
        "Endodontic visit",
        "treatment",
        """Tooth: {teeth}
Pulp and periapical diagnosis:
Anaesthesia, rubber dam:
Working length of each canal, and reference:
Instruments, irrigation:
Medication or filling, temporary filling:
Radiographs: {documents}

Charted:
{chart}
""",
    ),
    (
        "Examination",
        "observation",
        """Complaint, in the patient's words:
Extra-oral:
Soft tissues:
Periodontium:
Teeth:
{chart}
Radiographs and what they show: {documents}
""",
    ),
    (
        "Supervisor's review",
        "supervisor_review",
        """Seen with the student on {date}.
Findings I agree with:
To be done otherwise:
Charted:
{chart}
""",
    ),
)
