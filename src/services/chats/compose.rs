//! From what a client sent to what happens, and whether the rules allow it.

use std::sync::Arc;
use std::time::Duration;

use barterline_domain::chat::{Chat, Role};
use barterline_domain::clock::Timestamp;
use barterline_domain::event::{Author, Event, Seq};
use barterline_domain::message::{
    Body, Content, EventKind, ExtensionData, ExtensionName, InvalidBody, Message, Reaction,
};
use barterline_storage::chat_log::Range;
use barterline_storage::error::StoreError;

use super::media::shown_by;
use super::{ChatError, Chats, Send};
use crate::hub::room::{Command, Forbidden};

/// What the request asks for. Fields that its kind does not have are ignored, as everywhere.
pub fn kind(send: Send) -> Result<EventKind, ChatError> {
    let Send { kind, text, reply, target, reaction, media, data, .. } = send;
    let target = || target.ok_or(ChatError::Incomplete("target: which message?"));
    let content = match kind.as_str() {
        "text" => Content::Text(body(text)?),
        "media" => Content::Media {
            media: media.ok_or(ChatError::Incomplete("media: which upload?"))?,
            caption: text.map(|text| body(Some(text))).transpose()?,
        },
        "edit" => {
            return Ok(EventKind::Edit { target: target()?, body: Some(body(text)?) });
        }
        "delete" => return Ok(EventKind::Delete { target: target()? }),
        "reaction" => {
            let reaction = reaction.map(|text| Reaction::parse(&text)).transpose();
            let reaction =
                reaction.map_err(|_| ChatError::Incomplete("reaction: not one symbol"))?;
            return Ok(EventKind::Reaction { target: target()?, reaction });
        }
        other => Content::Extension {
            name: ExtensionName::parse(other).map_err(|_| ChatError::KindUnsupported)?,
            fallback: body(text)?,
            data: data
                .filter(|data| !data.is_empty())
                .map(|data| ExtensionData::parse(data).map_err(|_| ChatError::DataTooLong))
                .transpose()?,
        },
    };
    Ok(EventKind::Message(Message { content, reply }))
}

fn body(text: Option<String>) -> Result<Body, InvalidBody> {
    Body::parse(text.unwrap_or_default())
}

impl Send {
    /// Whether nothing but the request decides: most messages, on the hot path.
    pub fn stands_alone(&self) -> bool {
        let concerns_others =
            matches!(self.kind.as_str(), "media" | "edit" | "delete" | "reaction");
        self.reply.is_none() && !concerns_others
    }
}

/// What the rules say of a request.
pub(super) enum Judgement {
    /// No.
    Forbidden(Forbidden),
    /// Yes; `withheld`: the other person never saw what it is about, and does not see it either.
    Allowed {
        /// Whether the event is withheld for that.
        withheld: bool,
    },
}

impl Chats {
    /// Whether the rules allow it. What is asked here never turns back (who said a message, when,
    /// that it is gone, which message shows a file), so the answer stands when the event is numbered
    /// later: a change that crosses a deletion on its way is read as nothing.
    pub(super) async fn judge(
        &self,
        chat: &Arc<Chat>,
        role: Role,
        command: &Command,
    ) -> Result<Judgement, StoreError> {
        let kind = &command.kind;
        if let EventKind::Reaction { reaction: Some(reaction), .. } = kind
            && !self.rules.reactions.iter().any(|offered| offered == reaction.as_str())
        {
            return Ok(Judgement::Forbidden(Forbidden::ReactionUnsupported));
        }
        let seq = match kind {
            EventKind::Message(Message { reply, .. }) => *reply,
            other => other.target(),
        };
        let mut withheld = false;
        if let Some(seq) = seq {
            let Some(target) = self.message(chat, role, seq).await? else {
                return Ok(Judgement::Forbidden(Forbidden::TargetNotFound));
            };
            if let Some(forbidden) = self.forbids(kind, role, &target, command.at) {
                return Ok(Judgement::Forbidden(forbidden));
            }
            if let (EventKind::Delete { .. }, Some(media)) = (kind, shown_by(&target.kind)) {
                self.media.doubt(media, command.at).await?;
            }
            // The other never gets what was withheld, nor what becomes of it.
            withheld = target.withheld && kind.target().is_some();
        }
        // Last: a file is for one message, which is to be one that may be said.
        Ok(match self.claim(chat, role, command).await? {
            Some(forbidden) => Judgement::Forbidden(forbidden),
            None => Judgement::Allowed { withheld },
        })
    }

    /// The message with this number, if there is one that `role` has seen.
    async fn message(
        &self,
        chat: &Chat,
        role: Role,
        seq: Seq,
    ) -> Result<Option<Event>, StoreError> {
        let Some(before) = seq.0.checked_sub(1) else { return Ok(None) };
        let found = self.log.read(chat.id, Range::After(Seq(before)), 1).await?.pop();
        Ok(found.filter(|event| {
            let seen = !event.withheld || event.author == Author::from(role);
            seen && event.seq == seq && matches!(event.kind, EventKind::Message(_))
        }))
    }

    fn forbids(
        &self,
        kind: &EventKind,
        role: Role,
        target: &Event,
        now: Timestamp,
    ) -> Option<Forbidden> {
        let is_gone =
            matches!(&target.kind, EventKind::Message(Message { content: Content::Gone(_), .. }));
        let own = target.author == Author::from(role);
        let age = now.since(target.at);
        let checks = |window: Duration| {
            if !own {
                Some(Forbidden::TargetNotYours)
            } else if is_gone {
                Some(Forbidden::TargetGone)
            } else {
                (age > window).then_some(Forbidden::TargetTooOld)
            }
        };
        match kind {
            EventKind::Edit { .. } => checks(self.rules.edit_window),
            EventKind::Delete { .. } => checks(self.rules.delete_window),
            EventKind::Reaction { reaction: Some(_), .. } => {
                is_gone.then_some(Forbidden::TargetGone)
            }
            // A reaction may always be taken back; what is gone may be answered: the answer stands.
            EventKind::Reaction { reaction: None, .. }
            | EventKind::Message(_)
            | EventKind::Note(_)
            | EventKind::Listing(_) => None,
        }
    }
}
