"""Extension instances only; `create_app` binds them."""

from flask_compress import Compress
from flask_login import LoginManager
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy

from clinic.models.base import Base

# Objects stay readable after the one commit of a request: answers are rendered from them without new queries.
db = SQLAlchemy(model_class=Base, session_options={"expire_on_commit": False}, disable_autonaming=True)
migrate = Migrate(render_as_batch=False, compare_type=True)
login_manager = LoginManager()
compress = Compress()
