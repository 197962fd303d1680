"""Questions that a person answers before something is changed for everybody."""

import uuid
from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, cast

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.suggester import SuggestFromList
from textual.widgets import Input, Static

from monitor.desk import Desk
from monitor.spans import Line, Span, Tone, wrapped
from monitor.terminal_line import TerminalApp
from monitor.widgets.painted import Panel

_ASK = "y does it, Esc goes back"


@dataclass(frozen=True, slots=True)
class Field:
    """One question. Of `choices` the beginning is enough."""

    key: str
    label: str
    value: str = ""
    hint: str = ""
    choices: tuple[str, ...] = ()


class Form(ModalScreen[bool]):
    """Fields one below the other; Enter goes on, and after the last one `y` does it.

    A repeated try has the same `key`, so that it is done once.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", priority=True),
        Binding("y", "yes", "Do it", priority=True),
        Binding("down", "choose(1)", "Next", priority=True),
        Binding("up", "choose(-1)", "Previous", priority=True),
    ]

    def __init__(self, desk: Desk, title: str, fields: tuple[Field, ...]) -> None:
        super().__init__()
        self.desk = desk
        self.key = str(uuid.uuid4())
        self._title = title
        self._fields = fields
        self._asks = False
        self.about = Panel("", id="about")

    @abstractmethod
    def problem(self, values: dict[str, str]) -> str | None:
        """Return what is wrong with the answers, None when nothing is."""

    @abstractmethod
    def summary(self, values: dict[str, str]) -> str:
        """Return in a sentence what will be done."""

    @abstractmethod
    async def send(self, values: dict[str, str]) -> tuple[bool, str]:
        """Do it; return whether it is done, and a sentence."""

    def choose(self, lines: int) -> None:
        """Move in what is offered, if anything is."""

    def compose(self) -> ComposeResult:
        """Yield the questions, and room to answer."""
        box = Vertical(id="form")
        box.border_title = Content(self._title)
        box.border_subtitle = Content("Enter goes on, Esc leaves")
        with box:
            for field in self._fields:
                with Horizontal(classes="field"):
                    yield Static(Content(field.label), classes="label")
                    yield Input(
                        field.value,
                        placeholder=field.hint,
                        compact=True,
                        select_on_focus=False,
                        suggester=SuggestFromList(field.choices, case_sensitive=False)
                        if field.choices
                        else None,
                        id=field.key,
                    )
            yield self.about

    def on_mount(self) -> None:
        """Begin with the first question that has no answer."""
        empty = next((field for field in self._fields if not field.value), None)
        if empty is not None:
            self.query_one(f"#{empty.key}").focus()
        else:
            self.query_one(Input).focus()

    @property
    def values(self) -> dict[str, str]:
        """What is answered."""
        return {field.key: self.answer(field.key).value.strip() for field in self._fields}

    def answer(self, key: str) -> Input:
        """Return where a question is answered."""
        return self.query_one(f"#{key}", Input)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go on to the next question, or ask whether to do it."""
        at = next(n for n, field in enumerate(self._fields) if field.key == event.input.id)
        begun = event.value.strip().casefold()
        meant = [choice for choice in self._fields[at].choices if choice.startswith(begun)]
        if len(meant) == 1:
            event.input.value = meant[0]
        if at + 1 < len(self._fields):
            self.set_focus(self.answer(self._fields[at + 1].key))
            return
        problem = self.problem(self.values)
        if problem is not None:
            self.say(problem, "bad")
            return
        self._asks = True
        self.set_focus(None)
        self.say(self.summary(self.values), "title", _ASK)

    def say(self, sentence: str, tone: Tone = "plain", more: str = "") -> None:
        """Write below the questions, once their size is known."""

        def write() -> None:
            lines: list[Line] = wrapped(sentence, max(20, self.about.line_width), tone)
            self.about.show([*lines, *([[Span(more, "accent")]] if more else [])])

        self.call_after_refresh(write)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Take a y only as the answer to a summary; let arrows move in a text without offers."""
        del parameters
        return action != "yes" or self._asks

    def action_choose(self, lines: int) -> None:
        """Move in what is offered."""
        self.choose(lines)

    def action_back(self) -> None:
        """Go back to the questions, or leave."""
        if not self._asks:
            self.dismiss(False)
            return
        self._asks = False
        self.about.show([])
        self.set_focus(self.answer(self._fields[-1].key))

    def action_yes(self) -> None:
        """Do it, if that was meant."""
        cast("TerminalApp", self.app).deliberately(self._send)

    @work(exclusive=True)
    async def _send(self) -> None:
        if not self._asks:
            return
        self.say("Asking ...", "muted")
        done, sentence = await self.send(self.values)
        if done:
            self.notify(sentence, markup=False)
            if self.is_current:  # it may have been left meanwhile
                self.dismiss(True)
        else:
            self.say(sentence, "bad", _ASK)


class Confirm(ModalScreen[bool]):
    """One question with yes or no. Only a `y` that comes alone says yes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "yes", "Yes", priority=True),
        Binding("escape,n,q", "dismiss(False)", "No"),
    ]

    def __init__(self, question: str, yes: str) -> None:
        super().__init__()
        self._question, self._yes = question, yes
        self.about = Panel("", id="confirm")

    def compose(self) -> ComposeResult:
        """Yield the question."""
        self.about.border_subtitle = Content(f"y {self._yes}, Esc does nothing")
        yield self.about

    def on_mount(self) -> None:
        """Ask."""
        self.call_after_refresh(
            lambda: self.about.show(wrapped(self._question, max(20, self.about.line_width)))
        )

    def action_yes(self) -> None:
        """Take the yes, if that was meant."""
        cast("TerminalApp", self.app).deliberately(self._sure)

    def _sure(self) -> None:
        if self.is_current:  # it may have been left meanwhile
            self.dismiss(True)
