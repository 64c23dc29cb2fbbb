"""Signing in."""

from tests.world import PASSWORD


def test_home_asks_for_sign_in(client):
    answer = client.get("/")
    assert answer.status_code == 303
    assert "/sign-in" in answer.location


def test_sign_in_opens_the_page_that_was_asked_for(client, world):
    page = client.get("/sign-in?next=/")
    token = page.text.split('name="csrf_token" value="')[1].split('"')[0]
    answer = client.post(
        "/sign-in?next=/", data={"email": "ruwan@clinic.test", "password": PASSWORD, "csrf_token": token}
    )
    assert answer.status_code == 303
    assert "Ruwan Senanayake" in client.get("/", follow_redirects=True).text


def test_signed_in_person_sees_home(browser_of):
    assert browser_of("kamal").get("/", follow_redirects=True).status_code == 200
