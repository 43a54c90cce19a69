<?php
/* Comes before a page (auto_prepend_file): Symfony keeps its session in the server HOST:PORT of session.save_path. */

require 'Symfony/Component/HttpFoundation/autoload.php';

use Symfony\Component\HttpFoundation\Session\Storage\Handler\MemcachedSessionHandler;

[$host, $port] = explode(':', ini_get('session.save_path'));
$client = new Memcached();
$client->addServer($host, (int) $port);
session_set_save_handler(new MemcachedSessionHandler($client), true);
