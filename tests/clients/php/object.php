<?php
/* Uses the class Memcached on the server HOST PORT of the command line; prints in JSON what each call gave. */

[, $host, $port] = $argv;
$client = new Memcached();
$client->setOptions([
    Memcached::OPT_COMPRESSION => false, // append and prepend want it
    Memcached::OPT_RECV_TIMEOUT => 20000000, Memcached::OPT_SEND_TIMEOUT => 20000000,
    Memcached::OPT_POLL_TIMEOUT => 20000, Memcached::OPT_CONNECT_TIMEOUT => 20000,
]);
$client->addServer($host, (int) $port);

$said = [];
function note($name, $value)
{
    global $said, $client;
    $said[$name] = $value === false ? $client->getResultMessage() : $value;
}

note('binary', $client->getOption(Memcached::OPT_BINARY_PROTOCOL));
note('version', $client->getVersion());
note('set', $client->set('key', ['a' => [1, null, 1.5, "caf\xc3\xa9"]], 60));
note('get', $client->get('key'));
note('get missing', $client->get('missing'));
note('add', $client->add('key', 1));
note('replace missing', $client->replace('missing', 1));
note('setMulti', $client->setMulti(['a' => 1, 'b' => 'two', 'c' => 3.5, 'd' => true]));
note('getMulti', $client->getMulti(['a', 'b', 'missing', 'c', 'd']));
note('getDelayed', $client->getDelayed(['a', 'b']));
note('fetchAll', array_column($client->fetchAll(), 'value', 'key'));
note('append missing', $client->append('missing', 'x'));
note('append', $client->append('b', '.'));
note('prepend', $client->prepend('b', '.'));
note('get b', $client->get('b'));
$extended = $client->get('a', null, Memcached::GET_EXTENDED);
note('cas', $client->cas($extended['cas'], 'a', 10));
note('cas again', $client->cas($extended['cas'], 'a', 11));
note('increment', $client->increment('a', 5));
note('decrement', $client->decrement('a', 100));
note('increment missing', $client->increment('missing'));
note('increment text', $client->increment('b'));
note('touch', $client->touch('a', 60));
note('touch missing', $client->touch('missing', 60));
note('checkKey', $client->checkKey('a'));
note('delete', $client->delete('a'));
note('delete again', $client->delete('a'));
note('deleteMulti', $client->deleteMulti(['c', 'd']));
note('negative', $client->set('b', 'over', -1));
note('get negative', $client->get('b'));
note('too large', $client->set('key', str_repeat('x', 2000000)));
note('get old', $client->get('key'));
note('flush', $client->flush());
note('getStats', array_map(fn($rows) => (int) $rows['pid'], $client->getStats()));
note('getAllKeys', $client->getAllKeys());
note('quit', $client->quit());
note('get after quit', $client->get('key'));
echo json_encode($said);
