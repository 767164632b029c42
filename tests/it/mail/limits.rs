//! How much mail anybody has sent, and gets.

use super::{ask_for_reset, at};
use crate::support::World;

#[test]
fn who_asks_for_mail_too_often_waits() {
    let world = World::mailing(&[
        ("BARTERLINE_LIMITS__MAIL_REQUESTS_BURST", "2"),
        ("BARTERLINE_LIMITS__MAIL_REQUESTS_PER_HOUR", "1"),
    ]);
    world.register("ana").expect(202);
    ask_for_reset(&world, &at(&world, "ana")).expect(202);
    for refused in [ask_for_reset(&world, &at(&world, "bob")), world.register("bob")] {
        assert!(refused.headers["retry-after"].parse::<u64>().is_ok_and(|wait| wait > 0));
        let problem = refused.problem(429, "rate.limited");
        assert_eq!(problem["scope"], "mail");
    }
}

#[test]
fn nobody_gets_more_mail_than_a_few_times_an_hour_and_nobody_is_told() {
    let mut world = World::mailing(&[
        ("BARTERLINE_LIMITS__MAILS_BURST", "2"),
        ("BARTERLINE_LIMITS__MAILS_PER_HOUR", "1"),
        ("BARTERLINE_ACCOUNTS__VERIFY_EMAIL", "false"),
    ]);
    for name in ["ana", "bob"] {
        world.register(name).expect(201);
        for _ in 0..4 {
            ask_for_reset(&world, &at(&world, name)).expect(202);
        }
    }
    for name in ["ana", "bob"] {
        world.mail_after(1, &at(&world, name));
    }
    // Who goes away writes first what was asked for.
    assert!(world.stop().success());
    for name in ["ana", "bob"] {
        assert_eq!(world.mails_to(&at(&world, name)).len(), 2);
    }
}
