//! Rights given up for good, once what needed them is open.

use nix::unistd::{Uid, User, setgid, setgroups, setuid};

use crate::exit::{Exit, Exits, Failure, fail};

/// Goes on as this user, with the user's group and no other, in all threads.
pub(crate) fn drop_to(name: &str) -> Result<(), Failure> {
    let user = User::from_name(name)
        .exits(Exit::Usage)?
        .ok_or_else(|| fail(Exit::Usage, format!("--user {name}: there is no such user")))?;
    if Uid::effective() == user.uid {
        return Ok(());
    }
    let refused = |error| {
        fail(Exit::Usage, format!("--user {name}: cannot be changed to ({error}); only root can do that"))
    };
    // Groups first: afterwards there is no right to.
    setgroups(&[user.gid]).map_err(refused)?;
    setgid(user.gid).map_err(refused)?;
    setuid(user.uid).map_err(refused)?;
    if !user.uid.is_root() && setuid(Uid::from_raw(0)).is_ok() {
        return Err(fail(Exit::Internal, format!("--user {name}: root's rights could be taken back")));
    }
    Ok(())
}
