"""The dashboard: what was deleted in Salesforce, by whom, and up to when that is proven.

Snowflake runs this file as it is, and so does ``streamlit run streamlit_app.py`` on a laptop.
"""

from __future__ import annotations

import page_list

page_list.show_the_chosen_page()
