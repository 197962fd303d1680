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
    """One question. Of `choices` the beginning is enough.

    Where something is `offered`, the arrows choose among it; else they go to the next question.
    """

    key: str
    label: str
    value: str = ""
    hint: str = ""
    choices: tuple[str, ...] = ()
    offered: bool = False


class Form(ModalScreen[bool]):
    """Fields one below the other; Enter goes on, and after the last one `y` does it.

    A repeated try has the same `key`, so that it is done once. Subclasses write no `on_...` of a
    name that is here: Textual calls those of every class.
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
        self._said: list[Line] = []
        self.about = Panel("", id="about")

    @abstractmethod
    def problem(self, values: dict[str, str]) -> tuple[str, str] | None:
        """Return which answer is wrong and what is wrong with it, None when nothing is."""

    @abstractmethod
    def summary(self, values: dict[str, str]) -> str:
        """Return in a sentence what will be done."""

    @abstractmethod
    async def send(self, values: dict[str, str]) -> tuple[bool, str]:
        """Do it; return whether it is done, and a sentence."""

    def opened(self) -> None:
        """Do what is due once the questions stand there."""

    def typed(self, key: str, text: str) -> None:
        """Hear what was typed as an answer."""

    def choose(self, lines: int) -> None:
        """Move in what is offered."""

    def offers(self) -> tuple[list[Line], int]:
        """Return what is offered, and which line of it is chosen."""
        return [], 0

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
        empty = next((field for field in self._fields if not field.value), self._fields[0])
        self.set_focus(self.answer(empty.key))
        self.opened()

    def on_descendant_focus(self) -> None:
        """Offer what there is for this question."""
        self.show()

    @property
    def values(self) -> dict[str, str]:
        """What is answered."""
        return {field.key: self.answer(field.key).value.strip() for field in self._fields}

    def answer(self, key: str) -> Input:
        """Return where a question is answered."""
        return self.query_one(f"#{key}", Input)

    @property
    def _field(self) -> Field | None:
        """The question that is being answered."""
        focused = self.focused
        return next((field for field in self._fields if focused and field.key == focused.id), None)

    def on_input_changed(self, event: Input.Changed) -> None:
        """What was said about the old answer is over."""
        self._said = []
        self.typed(event.input.id or "", event.value.strip())
        self.show()

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
            wrong, sentence = problem
            self.set_focus(self.answer(wrong))
            self.say(sentence, "bad")
            return
        self._asks = True
        self.set_focus(None)
        self.say(self.summary(self.values), "title", _ASK)

    def say(self, sentence: str, tone: Tone = "plain", more: str = "") -> None:
        """Write below the questions, once their size is known."""

        def write() -> None:
            lines = wrapped(sentence, max(20, self.about.line_width), tone)
            self._said = [*lines, *([[Span(more, "accent")]] if more else [])]
            self.show()

        self.call_after_refresh(write)

    def show(self) -> None:
        """Show what was said, and below it what is offered for the question."""
        field = self._field
        offers: list[Line] = []
        at = 0
        if field is not None and field.choices:
            offers, at = self._choices(field)
        elif field is not None and field.offered:
            offers, at = self.offers()
        self.about.show([*self._said, *offers])
        line = len(self._said) + at if at else 0
        self.about.scroll_to(y=max(0, line - self.about.size.height + 1), animate=False)

    def _choices(self, field: Field) -> tuple[list[Line], int]:
        begun = self.answer(field.key).value.strip().casefold()
        meant = [choice for choice in field.choices if choice.startswith(begun) and begun]
        at = field.choices.index(meant[0]) if meant else -1
        lines: list[Line] = [
            [Span("▌ " if choice in meant else "  ", "accent"), Span(choice)]
            for choice in field.choices
        ]
        return lines, at

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Take a y only as the answer to a summary; let arrows move in a text without offers."""
        del parameters
        return action != "yes" or self._asks

    def action_choose(self, lines: int) -> None:
        """Move in what is offered, else to another question."""
        field = self._field
        if field is None:
            return
        if field.choices:
            _, at = self._choices(field)
            at = max(0, min(at + lines, len(field.choices) - 1))
            answer = self.answer(field.key)
            answer.value = field.choices[at]
            answer.cursor_position = len(answer.value)
        elif field.offered:
            self.choose(lines)
            self.show()
        else:
            at = self._fields.index(field) + lines
            self.set_focus(self.answer(self._fields[max(0, min(at, len(self._fields) - 1))].key))

    def action_back(self) -> None:
        """Go back to the questions, or leave."""
        if not self._asks:
            self.dismiss(False)
            return
        self._asks = False
        self._said = []
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
