"""The demo's documents: filed once each as uploads are, in the demo clinic alone; a store that is away costs only them."""

from dataclasses import replace

import pytest
from sqlalchemy import select, update

from clinic import create_app, demo, demo_documents, outgoing, storage
from clinic.documents.pictures import DRAWN, picture_of
from clinic.extensions import db
from clinic.incoming import Incoming
from clinic.models import Category, Counter, Document, DocumentStatus, User
from clinic.operations.reconciling import verify
from clinic.queries.documents import documents_of, stored_of
from tests.conftest import make_config
from tests.stores import kept_in

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.xdist_group("storage")]


@pytest.fixture
def clinic(tmp_path, weed):
    app = create_app(make_config(f"sqlite:///{tmp_path}/demo.sqlite"))
    with kept_in(app, weed), app.app_context():
        db.create_all()
        db.session.add(Counter(name="live", value=0))  # as the migrations do
        demo.seed(patients=60, years=1, seed=1)
        db.session.commit()
        yield app
        db.session.remove()
        db.engine.dispose()


def run(app):
    return app.test_cli_runner().invoke(args=["seed-demo-documents"])


def test_they_are_filed_once_and_are_what_they_say(clinic):
    first = run(clinic)
    assert (first.exit_code, first.output) == (0, f"{len(demo_documents.PLANNED)} documents filed.\n")
    filed = db.session.scalars(select(Document).order_by(Document.id)).all()
    assert {document.status for document in filed} == {DocumentStatus.AVAILABLE}
    assert {document.category for document in filed} == set(Category) - {Category.SCAN, Category.OTHER}
    assert [(document.name, document.remarks) for document in filed] == [
        (plan.name, "") for plan in demo_documents.PLANNED
    ]
    assert verify(db.session.commit).sentence.endswith("all are what was stored.")
    for document in filed:
        if document.media_type in DRAWN:
            assert picture_of(document.media_type, outgoing.pieces_of(stored_of(document)), side=100).jpeg
    student = db.session.scalars(select(User).where(User.email == "student@demo.test")).one()
    seen = documents_of(student, filed[0].patient_id).rows
    assert [document.description for document in seen if document.teeth == "36 37"] == [
        "Filled"
    ]  # the former is behind it
    db.session.execute(update(Document).where(Document.id == filed[4].id).values(description="Somebody wrote this"))
    db.session.commit()
    assert run(clinic).output == "0 documents filed.\n"
    assert len(db.session.scalars(select(Document.id)).all()) == len(filed)


def test_a_store_that_is_away_is_said_and_the_next_time_goes_on(clinic, monkeypatch):
    there = clinic.config["CHAIRSIDE"]
    clinic.config["CHAIRSIDE"] = replace(there, s3_endpoint="http://127.0.0.1:1")
    for name in [name for name in clinic.extensions if name.startswith("chairside_store")]:
        del clinic.extensions[name]
    away = run(clinic)
    assert away.exit_code == 1
    assert "not all there, the next start tries again. The object store does not answer." in away.output
    assert db.session.scalars(select(Document.id)).all() == []
    clinic.config["CHAIRSIDE"] = there
    for name in [name for name in clinic.extensions if name.startswith("chairside_store")]:
        del clinic.extensions[name]
    finish, left = Incoming.finish, [3]

    def breaks(incoming):
        left[0] -= 1
        if left[0] < 0:
            raise storage.StorageError("The object store does not answer.")
        return finish(incoming)

    with monkeypatch.context() as patch:
        patch.setattr(Incoming, "finish", breaks)
        assert run(clinic).exit_code == 1
    states = db.session.scalars(select(Document.status).order_by(Document.id)).all()
    assert states == [DocumentStatus.AVAILABLE] * 3 + [DocumentStatus.FAILED]
    assert run(clinic).output == f"{len(demo_documents.PLANNED) - 3} documents filed.\n"


def test_no_other_clinic_gets_them(clinic):
    db.session.execute(update(User).where(User.email == "student@demo.test").values(email="kamal@school.example"))
    db.session.commit()
    assert run(clinic).output == "0 documents filed.\n"
    clinic.config["CHAIRSIDE"] = replace(clinic.config["CHAIRSIDE"], mode="production")
    refused = run(clinic)
    assert refused.exit_code == 1
    assert "production" in refused.output
    assert db.session.scalars(select(Document.id)).all() == []
