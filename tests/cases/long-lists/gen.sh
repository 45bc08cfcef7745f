# Prints an order with the number of lines that the argument says.
python3 -c "import json,sys; n=int(sys.argv[1]); print(json.dumps({'id':'n','items':[{'sku':'S%06d'%i,'qty':1,'price':'1.25'} for i in range(n)]}))" $1
