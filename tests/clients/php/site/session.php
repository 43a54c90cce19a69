<?php
/* Does to its session what `do` in the query lists, step by step, and answers in JSON what came of it.
 *
 * do=start,count   names of $steps below; a step that is not reached has no result
 * entered, release  paths of files, for the step `hold`
 * bytes             for the step `grow`
 */

const HOLD_DEADLINE_S = 20;

$warnings = [];
set_error_handler(function ($level, $message) use (&$warnings) {
    $warnings[] = $message;
    return true;
});

// Keeps the session open until another process makes the file `release`.
function hold()
{
    touch($_GET['entered']);
    $deadline = microtime(true) + HOLD_DEADLINE_S;
    while (!file_exists($_GET['release'])) {
        if (microtime(true) > $deadline) {
            return false;
        }
        usleep(5000);
        clearstatcache();
    }
    return true;
}

$steps = [
    'start' => fn() => session_start(),
    'count' => fn() => $_SESSION['count'] = ($_SESSION['count'] ?? 0) + 1,
    'grow' => fn() => strlen($_SESSION['large'] = bin2hex(random_bytes(intdiv((int) $_GET['bytes'], 2)))),
    'regenerate' => fn() => session_regenerate_id(false),
    'replace' => fn() => session_regenerate_id(true),
    'destroy' => fn() => session_destroy(),
    'write' => fn() => session_write_close(),
    'hold' => fn() => hold(),
];

$results = [];
$error = null;
try {
    foreach (explode(',', $_GET['do']) as $name) {
        $results[$name] = $steps[$name]();
    }
    $id = session_id();
    session_write_close();
} catch (Error $caught) {
    $id = session_id();
    $error = $caught->getMessage();
}
unset($_SESSION['large']);
header('Content-Type: application/json');
echo json_encode([
    'results' => (object) $results, 'id' => $id, 'session' => $_SESSION ?? null, 'warnings' => $warnings, 'error' => $error,
]);
