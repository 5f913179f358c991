# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Lets what is here import the plugins by their full names.
from tests import conftest as conftest
