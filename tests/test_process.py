"""What `import zoo` settles for the process."""

import platform

import pytest

X86 = platform.machine().lower() in ("x86_64", "amd64")


@pytest.mark.skipif(not X86, reason="oneDNN is TensorFlow's default on other processors")
@pytest.mark.parametrize(("chosen", "expected"), [(None, "1"), ("0", "0")])
def test_onednn_is_enabled_unless_the_user_chose(chosen, expected, bare_python):
    choose = f"os.environ['TF_ENABLE_ONEDNN_OPTS'] = {chosen!r}" if chosen else ""
    bare_python(
        f"import os\nos.environ.pop('TF_ENABLE_ONEDNN_OPTS', None)\n{choose}\n"
        f"import zoo\nassert os.environ['TF_ENABLE_ONEDNN_OPTS'] == {expected!r}\n"
    )
