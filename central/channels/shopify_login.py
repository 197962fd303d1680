"""Access tokens of Shopify: an app of the Dev Dashboard gets one a day, by its id and secret."""

import json
import time
from dataclasses import dataclass, field
from urllib.parse import urlencode

from central.channels.order_events import Unusable
from central.guarded_http import Client

#: A token is renewed this long before its end.
_MARGIN_S = 600.0
_FORM = {"content-type": "application/x-www-form-urlencoded"}


@dataclass
class Login:
    """An app's id and secret (the client credentials grant); `url` is the shop."""

    client: Client
    url: str
    client_id: str
    client_secret: str
    _token: str = field(default="", init=False)
    _until_s: float = field(default=0.0, init=False)

    async def token(self) -> str:
        """Return a token that is good now; raise Unusable when the app is not let in, OSError."""
        if not self._token or time.monotonic() >= self._until_s:
            asked = {
                "grant_type": "client_credentials",
                "client_id": self.client_id,
                "client_secret": self.client_secret,
            }
            url = f"{self.url}/admin/oauth/access_token"
            reply = await self.client.send("POST", url, _FORM, urlencode(asked).encode())
            if reply.status >= 500 or reply.status == 429:
                raise OSError(f"the shop answers {reply.status} to our login")
            if reply.status != 200:
                raise Unusable(
                    f"the shop does not let our app in ({reply.status}: {reply.snippet}): is it "
                    "installed there, are key and secret its client id and client secret?"
                )
            answer = json.loads(reply.body)
            self._token = str(answer["access_token"])
            self._until_s = time.monotonic() + float(answer["expires_in"]) - _MARGIN_S
        return self._token

    def forget(self) -> None:
        """Get another token the next time: the shop does not take this one any more."""
        self._token = ""
