"""Programs that the tests need beside Python, and how they are had."""
