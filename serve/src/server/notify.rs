//! Notifications to the service manager: systemd with `Type=notify`. They are sent only if the
//! environment variable `NOTIFY_SOCKET` is set.

/// Reports that the server accepts requests.
pub(crate) fn ready() {
    send("READY=1");
}

/// Reports that the server shuts down.
pub(crate) fn stopping() {
    send("STOPPING=1");
}

#[cfg(target_os = "linux")]
fn send(state: &str) {
    // systemd reports a service from which it gets no notification.
    let _unheard = sd_notify::notify(&[sd_notify::NotifyState::Custom(state)]);
}

#[cfg(not(target_os = "linux"))]
fn send(_: &str) {}
