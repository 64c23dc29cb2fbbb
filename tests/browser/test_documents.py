"""Documents in a real browser: added at the desk, on the tablet and without JavaScript; looked at, filtered, replaced."""

import hashlib
import json
import re
from urllib.parse import parse_qsl

import pytest
from playwright.sync_api import expect
from sqlalchemy import delete, func, select

from clinic import settings
from clinic.extensions import db
from clinic.models import Category, Document, DocumentStatus, Projection, Setting
from clinic.operations.documents import Said
from tests.browser import axe
from tests.filed import PDF, file_document, png
from tests.stores import kept_in

pytestmark = pytest.mark.xdist_group("storage")
# As laid out: what is just being pressed is drawn a little smaller.
SMALL = (
    "all => all.filter(e => e.checkVisibility() && e.offsetHeight < 44)"
    ".map(e => `${e.textContent.trim() || e.id} ${e.offsetHeight}`)"
)
TARGETS = "main :is(a, button, summary, select, input:not([type=hidden], [hidden])):not(p a, .patient-name)"
FILES = """files => {
    const transfer = new DataTransfer();
    for (const [name, bytes] of files) transfer.items.add(new File([new Uint8Array(bytes)], name, {type: 'image/png'}));
    return transfer;
}"""


@pytest.fixture
def documents(live_server, weed):
    """The address of Fernando's documents; the server keeps its files in a real store."""
    with kept_in(live_server.app, weed):
        yield f"/patients/{live_server.world.patients['fernando']}/documents"


@pytest.fixture
def rule(live_server):
    """`rule("documents_a_day", 1)`: a setting for this test."""

    def put(name, value):
        with live_server.inside():
            db.session.execute(delete(Setting).where(Setting.name == name))
            db.session.add(Setting(name=name, value=json.dumps(value)))
            db.session.commit()
        settings.forget()

    yield put
    settings.forget()


def filed(live_server, **how) -> int:
    with live_server.inside():
        number = file_document(live_server.world, into_store=True, **how).id
        db.session.commit()
    return number


def stored(live_server) -> int:
    with live_server.inside():
        available = Document.status == DocumentStatus.AVAILABLE
        return db.session.scalar(select(func.count()).select_from(Document).where(available))


def file(name, body=None) -> dict:
    return {"name": name, "mimeType": "application/octet-stream", "buffer": body or png(9, 7)}


def choose(page, *files) -> None:
    page.locator("#documents-add > summary").click()
    page.locator("input[name=file]").set_input_files([file(name, body) for name, body in files])


def row(page, name):
    return page.locator(".upload").filter(has_text=name)


def test_several_files_at_the_desk_with_one_that_is_refused_and_retried(page_of, live_server, documents, rule):
    rule("documents_a_day", 2)
    page = page_of("kamal")
    sent = []
    page.on("request", lambda request: request.method == "POST" and "ticket" in request.url and sent.append(request))
    page.goto(documents)
    choose(page, ("36 left.png", png(9, 7)), ("37 left.png", png(5, 5)), ("38 left.png", png(4, 4)))
    page.get_by_label("What it is").select_option("radiograph")
    page.get_by_label("Kind of radiograph").select_option("bitewing")
    assert not sent  # nothing goes into a record before one says so
    page.get_by_role("button", name="Add 3 files to the record of Nimali Fernando").click()
    expect(page.locator(".upload[data-state=done]")).to_have_count(2)
    refused = page.locator(".upload[data-state=failed]")
    expect(refused).to_contain_text("the most for one person")
    expect(page.get_by_text("2 files in the record, 1 file not added.")).to_be_visible()
    expect(page.locator(".document")).to_have_count(2)  # the list fetched itself
    expect(page.locator(".document").first).to_contain_text("Bitewing")

    rule("documents_a_day", 200)
    refused.get_by_role("button", name="Try again").click()
    expect(page.locator(".upload[data-state=done]")).to_have_count(3)
    expect(page.locator(".document")).to_have_count(3)
    assert len({request.url.rpartition("file=")[2] for request in sent}) == len(sent) == 4
    with live_server.inside():
        names = db.session.scalars(select(Document.name).where(Document.status == DocumentStatus.AVAILABLE)).all()
    assert sorted(names) == ["36 left.png", "37 left.png", "38 left.png"]
    row(page, "36 left.png").get_by_role("link", name="Open 36 left.png").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("36 left.png")


def test_fields_go_before_the_file_with_the_browsers_own_digest(page_of, documents):
    page = page_of("kamal")
    page.goto(documents)
    page.evaluate(
        "() => { const send = XMLHttpRequest.prototype.send;"
        " XMLHttpRequest.prototype.send = function (body) { window.sent = body.text(); send.call(this, body); }; }"
    )
    choose(page, ("a.png", png()))
    with page.expect_request(lambda request: "ticket" in request.url) as sent:
        page.get_by_role("button", name="Add to the record").click()
    expect(row(page, "a.png")).to_contain_text("In the record")
    size = int(sent.value.headers["x-fields"])
    fields = parse_qsl(page.evaluate("() => window.sent")[:size], keep_blank_values=True)
    assert fields[-2:] == [("sha256", hashlib.sha256(png()).hexdigest()), ("file", "a.png")]
    assert [name for name, _ in fields].count("file") == 1
    assert sent.value.headers["hx-request"] == "true"


def test_what_is_no_document_says_so_in_its_row(page_of, live_server, documents):
    page = page_of("kamal")
    page.goto(documents)
    choose(page, ("letter.pdf", b"<html><script>alert(1)</script>"), ("right.pdf", PDF))
    page.get_by_role("button", name="Add 2 files").click()
    expect(row(page, "right.pdf")).to_have_attribute("data-state", "done")
    wrong = row(page, "letter.pdf")
    expect(wrong).to_have_attribute("data-state", "failed")
    said = wrong.locator(".upload-state").inner_text()
    assert len(said.split()) > 3
    expect(page.get_by_role("status").filter(has_text="1 file in the record, 1 file not added.")).to_be_visible()
    wrong.get_by_role("button", name="Remove letter.pdf").click()
    expect(page.locator(".upload")).to_have_count(1)
    assert stored(live_server) == 1


def test_a_cut_upload_is_tried_again_under_its_own_number(page_of, live_server, documents, faults):
    page = page_of("kamal")
    page.goto(documents)
    asked = []

    def cut_once(route):
        asked.append(route.request.url)
        route.abort() if len(asked) == 1 else route.continue_()

    page.route("**/documents?ticket=*", cut_once)
    choose(page, ("a.png", png()))
    page.get_by_role("button", name="Add to the record").click()
    expect(row(page, "a.png")).to_contain_text("The connection was cut")
    row(page, "a.png").get_by_role("button", name="Try again").click()
    expect(row(page, "a.png")).to_contain_text("In the record")
    assert asked[0] == asked[1]  # so that what had arrived after all is not added twice
    assert stored(live_server) == 1
    assert all("ERR_FAILED" in fault for fault in faults)
    faults.clear()


def test_an_upload_is_cancelled_and_leaving_meanwhile_is_asked_about(page_of, live_server, documents, faults):
    page = page_of("kamal")
    page.goto(documents)
    page.route("**/documents?ticket=*", lambda route: None)  # the network hangs
    choose(page, ("a.png", png()))
    page.get_by_role("button", name="Add to the record").click()
    expect(row(page, "a.png").get_by_role("button", name="Cancel a.png")).to_be_visible()
    expect(row(page, "a.png").get_by_role("progressbar", name="Sent of a.png")).to_be_visible()
    asked = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    page.get_by_role("link", name="Overview").click()
    page.wait_for_timeout(400)
    assert asked == ["beforeunload"]
    assert page.url.endswith(documents)
    expect(page.locator("#loading.is-on")).to_have_count(0)
    row(page, "a.png").get_by_role("button", name="Cancel a.png").click()
    expect(page.locator(".upload")).to_have_count(0)
    page.get_by_role("link", name="Overview").click()
    page.wait_for_url(re.compile(r"/patients/\d+$"))
    assert asked == ["beforeunload"]
    assert stored(live_server) == 0
    faults.clear()


def test_too_large_a_file_is_refused_before_it_is_sent(page_of, documents, rule):
    rule("document_mib", 1)
    page = page_of("kamal")
    sent = []
    page.on("request", lambda request: "ticket" in request.url and sent.append(request))
    page.goto(documents)
    choose(page, ("volume.png", b"\x89PNG" + bytes(2**20)))
    expect(row(page, "volume.png")).to_contain_text("Too large: a file may have 1.0 MB at most")
    page.get_by_role("button", name="Add to the record").click()
    expect(page.get_by_text("Choose a file first.")).to_be_visible()
    assert sent == []


def test_files_are_dropped_and_pasted_anywhere_on_the_page(page_of, live_server, documents):
    page = page_of("kamal")
    page.goto(documents)
    dropped = page.evaluate_handle(FILES, [["one.png", list(png())], ["two.png", list(png(3, 3))]])
    page.dispatch_event("#documents-list", "dragover", {"dataTransfer": dropped})
    expect(page.locator("body.drop-here")).to_be_attached()
    page.dispatch_event("#documents-list", "drop", {"dataTransfer": dropped})
    expect(page.locator("body.drop-here")).to_have_count(0)
    pasted = page.evaluate_handle(FILES, [["image.png", list(png(4, 3))]])
    page.evaluate(
        "files => document.body.dispatchEvent(new ClipboardEvent('paste', {clipboardData: files, bubbles: true}))",
        pasted,
    )
    expect(page.locator(".upload-picture img")).to_have_count(3)  # each shows itself before it is sent
    page.get_by_role("button", name="Add 3 files").click()
    expect(page.locator(".upload[data-state=done]")).to_have_count(3)
    assert stored(live_server) == 3


def test_a_photo_is_taken_on_the_tablet(page_of, documents):
    page = page_of("silva", "tablet")
    page.goto(documents)
    page.locator("#documents-add > summary").tap()
    with page.expect_file_chooser() as camera:
        page.get_by_role("button", name="Take a photo").tap()
    assert camera.value.element.get_attribute("capture") == "environment"
    assert camera.value.element.get_attribute("accept") == "image/*"
    camera.value.set_files(file("smile.png"))
    page.get_by_label("Teeth").fill("11, 21")
    assert not axe.faults(page)
    assert page.eval_on_selector_all(TARGETS, SMALL) == []
    page.get_by_role("button", name="Add to the record").tap()
    expect(row(page, "smile.png")).to_contain_text("In the record")
    expect(page.locator(".document")).to_contain_text("Photograph 11, 21")
    assert not axe.faults(page)


def test_a_file_that_was_chosen_before_the_script_ran_waits_with_the_others(page_of, documents):
    page, held = page_of("kamal"), []
    page.route("**/upload.js*", lambda route: held.append(route))
    page.goto(documents, wait_until="commit")
    page.locator("input[name=file]").set_input_files(file("early.png"))
    while not held:
        page.wait_for_timeout(50)
    held[0].continue_()
    row(page, "early.png").wait_for()


def test_one_file_without_javascript(page_of, documents):
    page = page_of("kamal", java_script_enabled=False)
    page.goto(documents)
    page.locator("#documents-add > summary").click()
    expect(page.get_by_role("button", name="Choose files")).to_be_hidden()
    page.get_by_label("File", exact=True).set_input_files(file("left.png"))
    page.get_by_label("What it is").select_option("radiograph")
    page.get_by_role("button", name="Add to the record").click()
    expect(page.get_by_text("The file is in the record")).to_be_visible()
    picture = page.get_by_role("img", name="Radiograph")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 9
    expect(page.get_by_role("button", name="Larger")).to_be_hidden()


def test_a_newer_file_takes_the_place_of_one(page_of, live_server, documents):
    number = filed(live_server, name="before.png", said=Said(Category.CONSENT, description="Consent to extraction"))
    page = page_of("kamal")
    page.goto(f"{documents}/{number}/newer")
    expect(page.get_by_label("Description")).to_have_value("Consent to extraction")
    page.locator("input[name=file]").set_input_files(file("unsigned.png"))
    page.locator("input[name=file]").set_input_files(file("signed.png"))
    expect(page.locator(".upload")).to_have_count(1)  # it is one file
    assert not axe.faults(page)
    page.get_by_role("button", name="Add to the record").click()
    page.wait_for_url("**/documents/*?added=whole")
    expect(page.get_by_role("heading", level=1)).to_contain_text("signed.png")
    page.get_by_role("region", name="Files of the same thing").get_by_role("link").click()
    page.wait_for_url(f"**/documents/{number}")


def test_documents_are_found_by_kind_tooth_and_keyboard(page_of, live_server, documents):
    for name, said in {
        "a.png": Said(Category.RADIOGRAPH, Projection.BITEWING, ("36", "37")),
        "b.png": Said(Category.RADIOGRAPH, Projection.PERIAPICAL, ("11",)),
        "c.png": Said(Category.PHOTOGRAPH),
    }.items():
        filed(live_server, name=name, said=said, body=png(ord(name[0]), 4))
    page = page_of("kamal")
    page.goto(documents)
    page.get_by_role("navigation", name="Which documents").get_by_role("link", name="Radiograph 2").click()
    expect(page.locator(".document")).to_have_count(2)
    page.get_by_label("Of tooth").fill("36")
    page.keyboard.press("Enter")
    expect(page.locator(".document")).to_have_count(1)
    expect(page.locator(".document")).to_contain_text("a.png")
    page.get_by_role("link", name="Of any tooth").click()
    expect(page.locator(".document")).to_have_count(2)
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("a.png")
    page.goto(f"{documents}?deleted=1")
    expect(page.get_by_role("heading", name="Nothing was deleted")).to_be_visible()


def test_a_picture_is_looked_at_closely(page_of, live_server, documents):
    number = filed(live_server, body=png(640, 480))
    page = page_of("kamal")
    page.goto(f"{documents}/{number}")
    picture, frame = page.locator(".viewer-frame img"), page.locator(".viewer-frame")
    box = lambda: picture.bounding_box()  # noqa: E731
    fitted, around = box(), frame.bounding_box()
    assert fitted["height"] == pytest.approx(around["height"], abs=1)  # as large as the frame allows
    assert fitted["x"] + fitted["width"] / 2 == pytest.approx(around["x"] + around["width"] / 2, abs=1)
    page.keyboard.press("+")
    expect(page.locator(".viewer-scale")).to_have_text("130 %")
    assert box()["width"] == pytest.approx(fitted["width"] * 1.3, abs=1)

    page.mouse.move(around["x"] + 10, around["y"] + 10)
    page.mouse.wheel(0, -400)
    larger = box()
    assert larger["width"] > fitted["width"] * 2
    page.mouse.down()
    page.mouse.move(around["x"] + 60, around["y"] + 40)
    page.mouse.up()
    assert box()["x"] >= larger["x"]
    page.mouse.move(around["x"] + 300, around["y"] + 200)
    page.mouse.down()
    page.mouse.move(around["x"] + 250, around["y"] + 170)
    page.mouse.up()
    moved = box()
    frame.focus()
    page.keyboard.press("ArrowRight")
    assert box()["x"] < moved["x"]

    page.keyboard.press("0")
    assert box() == fitted
    page.keyboard.press("t")
    turned = box()
    assert turned["height"] == pytest.approx(around["height"], abs=1)
    assert turned["width"] == pytest.approx(around["height"] * 3 / 4, abs=1)
    page.get_by_label("Brightness").fill("150")
    page.keyboard.press("n")
    assert picture.evaluate("it => it.style.filter") == "brightness(150%) contrast(100%) invert(1)"
    page.keyboard.press("f")
    expect(page.get_by_role("button", name="Full width")).to_have_attribute("aria-pressed", "true")
    assert frame.bounding_box()["width"] > around["width"] * 1.3
    page.get_by_role("button", name="As it was").click()
    assert picture.evaluate("it => it.style.filter").strip() == "brightness(100%) contrast(100%)"


def test_two_fingers_make_a_picture_larger(page_of, live_server, documents):
    number = filed(live_server, body=png(640, 480))
    page = page_of("silva", "tablet")
    page.goto(f"{documents}/{number}")
    around = page.locator(".viewer-frame").bounding_box()
    middle = around["x"] + around["width"] / 2, around["y"] + around["height"] / 2
    fingers = page.context.new_cdp_session(page)

    def touch(kind, apart):
        points = [{"x": middle[0] + side * apart, "y": middle[1], "id": side + 1} for side in (-1, 1)] if apart else []
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", 40)
    for apart in (60, 90, 120):
        touch("touchMove", apart)
    touch("touchEnd", 0)
    expect(page.locator(".viewer-scale")).to_have_text(re.compile(r"(2[5-9]|3[0-5])\d %"))


def test_a_pdf_is_shown_in_the_page_from_within_a_sandbox(page_of, live_server, documents):
    number = filed(live_server, body=PDF, name="letter.pdf")
    page = page_of("kamal")
    page.goto(f"{documents}/{number}")
    answer = page.request.get(f"{documents}/{number}/file")
    assert answer.headers["content-security-policy"].endswith("; sandbox")
    expect(page.locator("iframe")).to_be_visible()
    for _ in range(100):  # the browser's own viewer is a frame within
        if any(frame.url.startswith("chrome-extension://") for frame in page.frames):
            break
        page.wait_for_timeout(100)
    else:
        raise AssertionError([frame.url for frame in page.frames])


def test_two_pictures_are_compared_side_by_side_and_by_a_slider(page_of, live_server, documents):
    before = filed(live_server, name="before.png", body=png(640, 480, grey=40))
    after = filed(live_server, name="after.png", body=png(640, 480, grey=200))
    page = page_of("kamal")
    page.goto(f"{documents}/{before}")
    page.keyboard.press("c")
    expect(page.get_by_role("heading", name="Choose two pictures")).to_be_visible()
    page.get_by_label("After").select_option(str(after))
    page.get_by_role("button", name="Compare").click()
    left, right = page.locator(".compare img").all()
    assert left.bounding_box()["x"] + left.bounding_box()["width"] < right.bounding_box()["x"] + 5
    assert not axe.faults(page)
    page.keyboard.press("o")
    assert left.bounding_box() == right.bounding_box()
    slider = page.get_by_role("slider")
    assert right.evaluate("it => it.style.clipPath") == "inset(0px 0px 0px 50%)"
    slider.fill("20")
    assert right.evaluate("it => it.style.clipPath") == "inset(0px 0px 0px 20%)"
    box = right.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + 60)
    page.mouse.down()
    page.mouse.up()
    expect(slider).to_have_value("70")
    assert not axe.faults(page)


def test_a_tooth_of_the_chart_leads_to_its_documents(page_of, live_server, documents):
    said = Said(Category.RADIOGRAPH, Projection.PERIAPICAL, ("36",))
    for name in ("a.png", "b.png"):
        filed(live_server, name=name, said=said, body=png(ord(name[0]), 4))
    filed(live_server, name="c.png", said=Said(Category.RADIOGRAPH, None, ("11",)), body=png(7, 4))
    page = page_of("silva", "tablet")
    page.goto(documents.replace("documents", "chart/teeth/36"))
    page.get_by_role("link", name="Documents of this tooth (2)").tap()
    page.wait_for_url("**/documents?tooth=36")
    expect(page.locator(".document")).to_have_count(2)


@pytest.mark.parametrize("size", ["desktop", "tablet"])
def test_nothing_keeps_a_person_out(page_of, live_server, documents, size):
    numbers = [
        filed(live_server, said=Said(Category.RADIOGRAPH, Projection.BITEWING, ("36",), None, None, "Left")),
        filed(live_server, body=PDF, name="letter.pdf"),
    ]
    page = page_of("kamal", size)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        for place in (
            "",
            *(f"/{number}" for number in numbers),
            f"/{numbers[0]}/newer",
            f"/compare?left={numbers[0]}&right={numbers[0]}",
        ):
            page.goto(documents + place)
            for fold in page.locator("main details > summary").all():
                fold.click()
            assert not axe.faults(page), (place, scheme)
            assert not page.evaluate("document.documentElement.scrollWidth > innerWidth"), place
            if size == "tablet":
                assert page.eval_on_selector_all(TARGETS, SMALL) == [], place


@pytest.mark.parametrize("scripts", [True, False])
def test_a_large_file_straight_from_the_store(page_of, live_server, documents, rule, weed, scripts):
    """Its address is another origin's, to which the page's policy must let this one form lead; who sent it is not told there."""
    rule("document_link_minutes", 5)
    rule("document_link_mib", 1)
    body = PDF[:-6] + b"%" + b"x" * 2**20 + b"\n%%EOF\n"
    number = filed(live_server, body=body, name="එක්ස්-කිරණ صورة.pdf")
    page = page_of("kamal", java_script_enabled=scripts)
    page.goto(f"{documents}/{number}")
    asked = []
    page.on("request", lambda request: request.url.startswith(weed.endpoint) and asked.append(request))
    for _ in range(2):
        with page.expect_download() as coming:
            page.get_by_role("button", name="Download directly (link valid 5 min)").click()
        file = coming.value
        assert file.suggested_filename == "එක්ස්-කිරණ صورة.pdf"
        assert file.path().read_bytes() == body
        assert file.url.startswith(f"{weed.endpoint}/")
        page.goto(f"{documents}/{number}")
    assert asked
    assert not [request.headers["referer"] for request in asked if "referer" in request.headers]
    assert weed.endpoint not in page.content()
