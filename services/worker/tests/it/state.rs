//! What operators see of a worker.

use mailfleet_mailsim::{Fault, Server, Step};
use mailfleet_model::fleet::{Control, GroupState, HeldLeg, HeldStage};

use crate::order::{Sent, group_of};
use crate::world::{World, group, logs_in, mail, name};

#[tokio::test]
async fn an_owner_says_what_holds_in_its_groups() {
    let stuck = Server::imap().at(Step::Login, Fault::Silent);
    let server = mail(stuck, &["user@example.test"]).await;
    let world = World::new(1).await;
    let mut worker = world.worker().await;
    assert!(worker.health.is_ready());
    for job in 1..=3 {
        Sent::to(&server, job).send(&world).await;
    }
    logs_in(&server).await;
    worker.runs(1).await;
    let busy = group(&group_of(&server));
    // Legs are offered in the order of their publication: all three have arrived once a
    // later one of the same shard has been answered for.
    world.publish(&Sent { kind: "teleport", ..Sent::to(&server, 4) }.message(&world)).await;
    world.until(|seen| seen.returned(crate::order::leg_id(4, 0))).await;
    let job = Some(crate::order::leg_id(1, 0).job);
    world.say(Control::StateWanted { request: 7, group: Some(busy.clone()), job }).await;
    let state = world.until(|seen| seen.states.first().cloned()).await;
    let expect = GroupState {
        group: busy,
        limit: 1,
        in_use: 1,
        waiting: 2,
        paused: false,
        breaker: None,
        lowered: None,
    };
    let worker = name("worker-1");
    let leg = crate::order::leg_id(1, 0);
    let held = Some(vec![HeldLeg { leg, stage: HeldStage::Running, source: None }]);
    assert_eq!(state, Control::State { request: 7, worker, groups: vec![expect], held });
}
